// A button beside each password that shows it. Every page works without it.
for (const input of document.querySelectorAll("input[data-show]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "show-password";
  button.textContent = input.dataset.show;
  button.setAttribute("aria-controls", input.id);
  button.addEventListener("click", () => {
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    button.textContent = shown ? input.dataset.show : input.dataset.hide;
  });
  input.after(button);
  // A shown password is hidden before it is sent, so that browsers do not remember it as a text.
  input.form.addEventListener("submit", () => { input.type = "password"; });
}
