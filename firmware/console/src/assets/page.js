// What a page does by itself: parts marked data-live are fetched again and again, until one comes that is marked data-done. What a
// reader has opened stays open. All works without it.
"use strict";
for (const part of document.querySelectorAll("[data-live]")) {
  const again = async () => {
    try {
      const answer = await fetch(part.dataset.live, { headers: { accept: "text/html" } });
      if (answer.redirected || answer.status === 401) { location.reload(); return; }
      if (!answer.ok) throw new Error(answer.statusText);
      const text = await answer.text();
      if (!part.contains(document.activeElement)) {
        const open = [...part.querySelectorAll("details")].map((details) => details.open);
        part.innerHTML = text;
        part.querySelectorAll("details").forEach((details, place) => { details.open = open[place] ?? false; });
      }
      part.classList.remove("stale");
      if (part.querySelector("[data-done]")) return;
    } catch {
      part.classList.add("stale");
    }
    setTimeout(again, 2000);
  };
  setTimeout(again, 2000);
}
for (const input of document.querySelectorAll("input[data-into]")) {
  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (!file) return;
    const octets = new Uint8Array(await file.arrayBuffer());
    const text = Array.from(octets, (octet) => String.fromCharCode(octet)).join("");
    document.getElementById(input.dataset.into).value = "base64" in input.dataset ? btoa(text) : text;
  });
}
for (const choice of document.querySelectorAll("select[data-send]")) {
  choice.addEventListener("change", () => choice.form.submit());
}
