"use strict";
// What pages do better with a script. All of them work without it: the address of a
// feed can be selected, and the builder is a form.

// say tells those who listen what has changed, and no more than that.
function say(text) {
  document.getElementById("said").textContent = text;
}

// Copy buttons: data-copy names the field.
function copiers(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
      } catch {
        document.execCommand("copy"); // without https there is no clipboard
      }
      button.textContent = "Copied";
      say("The address is copied.");
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
}

// A form with data-live is sent while it is filled in; the element that it names
// takes its new content from the answer.
function live(form) {
  const result = document.getElementById(form.dataset.live);
  let timer, running;
  const send = async () => {
    running?.abort();
    running = new AbortController();
    const url = new URL(location.href);
    const data = new URLSearchParams(new FormData(form));
    for (const [name, value] of [...data]) if (value === "") data.delete(name, value);
    url.search = data.toString();
    try {
      const answer = await fetch(url, { signal: running.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.getElementById(result.id); // also of a page that says what is wrong
      if (!found) return;
      const open = result.querySelector("details[open]") !== null;
      result.replaceChildren(...found.childNodes);
      if (open) result.querySelector("details")?.setAttribute("open", "");
      copiers(result);
      say(result.querySelector("h3, .note")?.textContent ?? "");
      history.replaceState(null, "", url);
    } catch (e) {
      if (e.name !== "AbortError") form.submit(); // not requestSubmit, which would come back here
    }
  };
  const soon = (wait) => { clearTimeout(timer); timer = setTimeout(send, wait); };
  form.addEventListener("change", () => soon(0));
  form.addEventListener("input", (e) => { if (e.target.type === "text") soon(350); });
  form.addEventListener("submit", (e) => { e.preventDefault(); soon(0); });
  for (const button of form.querySelectorAll("button")) button.hidden = true;
}

copiers(document);
for (const form of document.querySelectorAll("form[data-live]")) live(form);
