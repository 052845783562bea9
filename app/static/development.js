// In the mailbox and the previews: j and k go to the next and the previous one, / to the search; a link counts the
// emails that have come; and frames are as high as their emails. Every page works without it.
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

// The link that counts. It asks only while somebody can see it.
const SECONDS = 3;
const newMail = document.querySelector("a[data-count]");

async function count() {
  if (document.hidden) return;
  const response = await fetch(newMail.dataset.count).catch(() => null);
  if (!response?.ok) return;
  const { count } = await response.json();
  newMail.hidden = count === 0;
  newMail.textContent = count === 1 ? newMail.dataset.one : newMail.dataset.many.replace("{count}", count);
}

if (newMail) setInterval(count, SECONDS * 1000);

// An email's frame lets nobody look inside, so a hidden one beside it is measured. Neither runs scripts.
for (const frame of document.querySelectorAll("iframe[data-measured]")) {
  const measuring = document.createElement("iframe");
  const sheet = frame.parentElement;
  const fit = () => {
    const height = measuring.contentDocument?.documentElement?.scrollHeight;
    if (height) sheet.style.height = `${height}px`;
  };
  measuring.className = "measuring";
  measuring.title = frame.title;
  measuring.tabIndex = -1;
  measuring.setAttribute("aria-hidden", "true");
  measuring.setAttribute("sandbox", "allow-same-origin");
  measuring.src = frame.dataset.measured;
  measuring.addEventListener("load", () => { fit(); new ResizeObserver(fit).observe(sheet); });
  sheet.append(measuring);
}
