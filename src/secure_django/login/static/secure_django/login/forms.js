// Improves forms with passwords: shows what is typed, and sends a form again while the site is busy.
// The forms work without this script.

const STATUS = "p[data-busy]"; // of account/_fields.html; an input for a photo has a script of its own
const RETRIES = 10;
const LONGEST_WAIT = 5; // seconds

/** Show passwords while they are typed. The button is hidden in the HTML: without this script, it would do nothing. */
function enhanceToggle(button) {
  const inputs = button.form.querySelectorAll("input[type=password]");

  function show(shown) {
    button.setAttribute("aria-pressed", shown);
    for (const input of inputs) input.type = shown ? "text" : "password";
  }

  button.hidden = false;
  button.addEventListener("click", () => show(button.getAttribute("aria-pressed") === "false"));
  button.form.addEventListener("submit", () => show(false)); // browsers remember what is sent as text
}

function pause(seconds) {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

/** Send a form, and again as long as the site is busy. */
async function send(target, data, status) {
  const options = { method: "POST", body: data, headers: { "X-Requested-With": "fetch" } };
  for (let retries = RETRIES; ; retries -= 1) {
    const answer = await fetch(target, options);
    const wait = Number(answer.headers.get("Retry-After"));
    if (answer.status !== 503 || !retries || !wait || wait > LONGEST_WAIT) return answer;
    status.textContent = status.dataset.busy;
    await pause(wait);
  }
}

/** Show an answer as the browser would. */
async function show(answer, form) {
  if (answer.redirected) return location.assign(answer.url);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.querySelector(STATUS)?.closest("form");
  document.title = page.title;
  if (!found) return document.body.replaceWith(page.body); // an error page, which has no scripts
  form.replaceWith(found);
  enhance(found);
  const wrong = found.querySelector(".nonfield, [aria-invalid=true]");
  if (wrong?.matches(".nonfield")) wrong.tabIndex = -1;
  wrong?.focus();
}

function enhance(form) {
  const status = form.querySelector(STATUS);
  form.querySelectorAll("[data-show-password]").forEach(enhanceToggle);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.inert) return;
    const target = new URL(form.getAttribute("action") ?? "", location.href); // `form.action` can be an input of that name
    const data = new URLSearchParams(new FormData(form, event.submitter));
    form.inert = true; // so that it is sent once
    try {
      await show(await send(target, data, status), form);
    } catch {
      form.inert = false;
      status.textContent = status.dataset.lost;
    }
  });
}

for (const status of document.querySelectorAll(STATUS)) enhance(status.closest("form"));
