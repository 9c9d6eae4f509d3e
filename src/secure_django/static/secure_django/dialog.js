// Opens the dialog that a link names in data-dialog. Without scripts, the link leads to
// a page that asks the same. Escape closes a dialog, and the browser then returns the
// focus to the link.

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  const closer = event.target.closest("dialog [data-close]");
  const isPlain = !(event.ctrlKey || event.metaKey || event.shiftKey);
  if (opener && isPlain) {
    event.preventDefault();
    const dialog = document.getElementById(opener.dataset.dialog);
    dialog.showModal();
    // What Enter presses first changes nothing.
    dialog.querySelector("[data-close]").focus();
  } else if (closer && isPlain) {
    event.preventDefault();
    closer.closest("dialog").close();
  }
});
