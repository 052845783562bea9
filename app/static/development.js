// In the mailbox and the previews: j and k go to the next and the previous one, / to the search. Every page works
// without it.
const steps = [...document.querySelectorAll("a[data-step]")];
const keys = {
  j: () => step(1),
  k: () => step(-1),
  "/": () => document.querySelector("input[type=search]"),
};

function step(by) {
  const neighbour = document.querySelector(`a[rel=${by > 0 ? "next" : "prev"}]`);
  if (neighbour) return neighbour;
  const at = steps.indexOf(document.activeElement);
  return steps[at < 0 ? 0 : at + by];
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const target = keys[event.key]?.();
  if (!target) return;
  event.preventDefault();
  target.focus();
  if (target.rel) target.click();
});
