// Improves every form with an input for a photo: previews, progress, a cancel button, and retries while the site is busy.
// The form works without this script, and the server validates every upload itself.

const PHOTO = "input[type=file][data-max-bytes]"; // its attributes have the texts, in the language of the site
const SUBMIT = "button:not([type]), [type=submit]";
const PREVIEW_SIDE = 640; // pixels
const RETRIES = 3;
const LONGEST_WAIT = 10; // seconds; a user would not wait longer for a retry

function create(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function say(status, text) {
  if (status.textContent !== text) status.textContent = text; // a screen reader would read an unchanged text again
}

async function draw(file, canvas) {
  // A canvas, since the Content-Security-Policy does not allow images from blob: URLs.
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, PREVIEW_SIDE / Math.max(bitmap.width, bitmap.height));
  canvas.width = Math.max(1, bitmap.width * scale);
  canvas.height = Math.max(1, bitmap.height * scale);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
}

/** Show a preview of the chosen file, or why the site will refuse it. */
function enhanceInput(input) {
  const texts = input.dataset;
  const canvas = create("canvas", { role: "img", "aria-label": texts.preview, hidden: "" });
  const status = create("p", { role: "status" });
  input.after(status, canvas);

  input.addEventListener("change", async () => {
    const [file] = input.files;
    const refusal = file?.size > Number(texts.maxBytes) ? texts.larger : "";
    input.setCustomValidity(refusal); // the browser does not send the form
    input.setAttribute("aria-invalid", Boolean(refusal));
    canvas.hidden = true;
    say(status, refusal); // stays, unlike the browser's own message
    if (!file || !input.reportValidity()) return;
    const remove = input.form.elements[`${input.name}-clear`];
    if (remove) remove.checked = false; // the new photo replaces the present one
    try {
      await draw(file, canvas);
      canvas.hidden = file !== input.files[0]; // the user may have chosen another file meanwhile
    } catch {
      if (file === input.files[0]) say(status, texts.noPreview);
    }
  });
}

/** Return the message of an error page, or at least the status code. */
function explain(xhr, texts) {
  if (xhr.status === 413) return texts.tooLarge;
  const sentence = xhr.response?.querySelector("main h1 + p")?.textContent;
  return sentence ?? texts.failed.replace("{status}", xhr.status);
}

function enhance(form) {
  const inputs = [...form.querySelectorAll(PHOTO)];
  const texts = inputs[0].dataset;
  const target = new URL(form.getAttribute("action") ?? "", location.href); // `form.action` can be an input of that name
  const bar = create("progress", { "aria-label": texts.upload, max: 1 });
  const cancel = create("button", { type: "button", class: "quiet" }, texts.cancel);
  const running = create("div", { class: "running", hidden: "" }, bar, cancel);
  const status = create("p", { role: "status" });
  const buttons = [...form.children].findLast((child) => child.matches(SUBMIT) || child.querySelector(SUBMIT));
  let submitter = null;

  target.hash = "";
  inputs.forEach(enhanceInput);
  if (buttons) buttons.before(running, status);
  else form.append(running, status);

  form.addEventListener("submit", (event) => {
    const isSending = !running.hidden;
    // A form without a photo, or one that a button sends elsewhere, is left to the browser.
    const isOurs = inputs.some((input) => input.files.length) && !event.submitter?.hasAttribute("formaction");
    if (isSending || isOurs) event.preventDefault();
    if (isSending || !isOurs) return;
    submitter = event.submitter;
    send(new FormData(form, submitter), RETRIES);
  });

  function stop(text) {
    running.hidden = true;
    if (submitter) submitter.disabled = false;
    submitter?.focus();
    say(status, text);
  }

  function send(data, retries) {
    const xhr = new XMLHttpRequest();
    xhr.open("POST", target);
    xhr.setRequestHeader("X-Requested-With", "XMLHttpRequest");
    xhr.responseType = "document";

    xhr.upload.onprogress = ({ loaded, total }) => {
      bar.value = loaded / total;
      say(status, texts.sent.replace("{percent}", Math.floor((4 * loaded) / total) * 25)); // in quarters, so that screen readers announce few changes
    };
    xhr.upload.onload = () => {
      bar.removeAttribute("value");
      say(status, texts.checking);
    };
    xhr.onload = () => {
      const wait = Number(xhr.getResponseHeader("Retry-After"));
      if (retries && wait && wait <= LONGEST_WAIT) {
        say(status, texts.busy.replace("{seconds}", wait));
        const timer = setTimeout(send, wait * 1000, data, retries - 1);
        cancel.onclick = () => {
          clearTimeout(timer);
          xhr.onabort();
        };
      } else show(xhr);
    };
    xhr.onerror = () => stop(texts.lost);
    xhr.onabort = () => stop(texts.canceled);
    cancel.onclick = () => xhr.abort();

    bar.value = 0;
    running.hidden = false;
    if (submitter) submitter.disabled = true;
    cancel.focus();
    say(status, texts.started);
    xhr.send(data);
  }

  /** Show the answer as the browser would, but keep the chosen files. */
  function show(xhr) {
    const found = [...(xhr.response?.querySelectorAll(PHOTO) ?? [])].find(({ name }) => name === inputs[0].name);
    const failed = xhr.status >= 400;
    if (xhr.responseURL !== target.href) location.assign(xhr.responseURL);
    else if (found && (failed || found.form.querySelector(".errorlist"))) replace(form, found.form);
    else if (failed) stop(explain(xhr, texts));
    else if (found || !xhr.response) location.reload(); // the form was redirected to its own page
    else document.body.replaceWith(xhr.response.body);
  }
}

/** Replace the form by the one with errors, and focus the first error. */
function replace(form, answer) {
  const chosen = [...form.querySelectorAll("input[type=file]")].filter((input) => input.files.length);
  form.replaceWith(answer);
  enhance(answer);
  for (const { name, files } of chosen) {
    const input = answer.elements[name];
    if (input?.type !== "file" || input.matches("[aria-invalid=true]")) continue;
    input.files = files; // the file had no error
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }
  const wrong = answer.querySelector(".nonfield, [aria-invalid=true]");
  if (wrong?.matches(".nonfield")) wrong.tabIndex = -1;
  wrong?.focus();
}

for (const form of document.querySelectorAll("form[method=post i][enctype='multipart/form-data']")) {
  if (form.querySelector(PHOTO)) enhance(form);
}
