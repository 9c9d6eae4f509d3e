// Closes the menus of the header: by Escape, by a click elsewhere, and when the focus leaves.
// The menus work without this script.

function openMenus() {
  return [...document.querySelectorAll(".menu[open]")];
}

function closeOthers(event) {
  for (const menu of openMenus()) {
    if (!menu.contains(event.target)) menu.open = false;
  }
}

document.addEventListener("click", closeOthers);
document.addEventListener("focusin", closeOthers);

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// The browser may show the page again as it was left.
addEventListener("pagehide", () => {
  for (const menu of openMenus()) menu.open = false;
});
