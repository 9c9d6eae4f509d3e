// Shows passwords while they are typed. The button is hidden in the HTML: without this script, it would do nothing.

for (const button of document.querySelectorAll("[data-show-password]")) {
  const inputs = button.form.querySelectorAll("input[type=password]");

  function show(shown) {
    button.setAttribute("aria-pressed", shown);
    for (const input of inputs) input.type = shown ? "text" : "password";
  }

  button.hidden = false;
  button.addEventListener("click", () => show(button.getAttribute("aria-pressed") === "false"));
  button.form.addEventListener("submit", () => show(false)); // browsers remember what is sent as text
}
