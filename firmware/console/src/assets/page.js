// What a page does by itself: parts marked data-live are fetched again and again. All works without it.
"use strict";
for (const part of document.querySelectorAll("[data-live]")) {
  const again = async () => {
    try {
      const answer = await fetch(part.dataset.live, { headers: { accept: "text/html" } });
      if (answer.redirected || answer.status === 401) { location.reload(); return; }
      if (!answer.ok) throw new Error(answer.statusText);
      const text = await answer.text();
      if (!part.contains(document.activeElement) || document.activeElement === document.body) part.innerHTML = text;
      part.classList.remove("stale");
    } catch {
      part.classList.add("stale");
    }
    setTimeout(again, 2000);
  };
  setTimeout(again, 2000);
}
for (const choice of document.querySelectorAll("select[data-send]")) {
  choice.addEventListener("change", () => choice.form.submit());
}
