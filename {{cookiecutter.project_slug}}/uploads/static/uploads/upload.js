// Improves the upload form: a preview, progress, a cancel button.
// The form works without this script, and the server validates every upload itself.

const PREVIEW_SIDE = 640; // pixels
const RETRIES = 3;
const LONGEST_WAIT = 10; // seconds; a user would not wait longer for a retry

async function preview(file, canvas) {
  // A canvas, since the Content-Security-Policy does not allow images from blob: URLs.
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, PREVIEW_SIDE / Math.max(bitmap.width, bitmap.height));
  canvas.width = Math.max(1, bitmap.width * scale);
  canvas.height = Math.max(1, bitmap.height * scale);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
}

/** Return the message of an error page, or at least the status code. */
function explain(xhr, texts) {
  if (xhr.status === 413) return texts.tooLarge;
  const sentence = xhr.response?.querySelector("main h1 + p")?.textContent;
  return sentence ?? texts.failed.replace("{status}", xhr.status);
}

function enhance(form) {
  const input = form.querySelector("input[type=file]");
  const canvas = form.querySelector("canvas");
  const running = form.querySelector(".running");
  const bar = form.querySelector("progress");
  const cancel = form.querySelector("button[type=button]");
  const submit = form.querySelector("button[type=submit]");
  const status = form.querySelector("[role=status]");
  const texts = form.dataset; // in the language of the site
  const limit = Number(texts.maxBytes);

  function say(text) {
    if (status.textContent !== text) status.textContent = text; // a screen reader would read an unchanged text again
  }

  function stop(text) {
    running.hidden = true;
    submit.disabled = false;
    submit.focus();
    say(text);
  }

  input.addEventListener("change", async () => {
    const [file] = input.files;
    const refusal = file?.size > limit ? texts.larger : "";
    input.setCustomValidity(refusal); // the browser does not send the form
    input.setAttribute("aria-invalid", Boolean(refusal));
    canvas.hidden = true;
    say(refusal); // stays, unlike the browser's own message
    if (!file || !input.reportValidity()) return;
    try {
      await preview(file, canvas);
      canvas.hidden = file !== input.files[0]; // the user may have chosen another file meanwhile
    } catch {
      say(texts.noPreview);
    }
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(RETRIES);
  });

  function send(retries) {
    const xhr = new XMLHttpRequest();
    xhr.open("POST", form.action);
    xhr.setRequestHeader("X-Requested-With", "XMLHttpRequest");
    xhr.responseType = "document";

    xhr.upload.onprogress = ({ loaded, total }) => {
      bar.value = loaded / total;
      say(texts.sent.replace("{percent}", Math.floor((4 * loaded) / total) * 25)); // in quarters, so that screen readers announce few changes
    };
    xhr.upload.onload = () => {
      bar.removeAttribute("value");
      say(texts.checking);
    };
    xhr.onload = () => {
      if (xhr.responseURL !== form.action) {
        location.assign(xhr.responseURL);
        return;
      }
      const wait = Number(xhr.getResponseHeader("Retry-After"));
      if (retries && wait && wait <= LONGEST_WAIT) {
        say(texts.busy.replace("{seconds}", wait));
        const timer = setTimeout(send, wait * 1000, retries - 1);
        cancel.onclick = () => {
          clearTimeout(timer);
          xhr.onabort();
        };
        return;
      }
      const answer = xhr.response?.getElementById("upload");
      if (answer) replace(form, answer);
      else stop(explain(xhr, texts));
    };
    xhr.onerror = () => stop(texts.lost);
    xhr.onabort = () => stop(texts.canceled);
    cancel.onclick = () => xhr.abort();

    bar.value = 0;
    running.hidden = false;
    submit.disabled = true;
    cancel.focus();
    say(texts.started);
    xhr.send(new FormData(form));
  }
}

/** Replace the form by the one with errors, and focus the first error. */
function replace(form, answer) {
  const chosen = form.querySelector("input[type=file]").files;
  form.replaceWith(answer);
  enhance(answer);
  const input = answer.querySelector("input[type=file]");
  if (!answer.querySelector("[aria-invalid=true][type=file]")) {
    input.files = chosen; // the file had no error
    input.dispatchEvent(new Event("change"));
  }
  const wrong = answer.querySelector(".nonfield, [aria-invalid=true]");
  if (wrong?.matches(".nonfield")) wrong.tabIndex = -1;
  wrong?.focus();
}

enhance(document.getElementById("upload"));
