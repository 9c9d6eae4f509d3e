// Shows the buttons for passkeys, which need scripts and a browser that knows passkeys, and shows an error when one failed.
// allauth's scripts do the rest.

if (window.PublicKeyCredential) {
  for (const element of document.querySelectorAll("[data-passkey]")) element.hidden = element.dataset.passkey === "missing";
}

document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  document.getElementById("passkey_error").hidden = false;
});

// The Enter key in the field for the name: allauth only listens to the button.
const add = document.getElementById("mfa_webauthn_add");
add?.form.addEventListener("submit", (event) => {
  event.preventDefault();
  add.click();
});
