// Putting rows of a table in another order: by dragging their handles, or with the arrow keys on them.
// Each [data-order] names the form that takes the new order; its field `ids` is what is sent.
(() => {
  "use strict";
  let dragged = null;
  let late;

  const rowOf = (element) => element.closest?.("[data-order] > [data-id]");
  const idsOf = (rows) => [...rows.children].map((row) => row.dataset.id).join(",");

  const send = (rows) => {
    const form = document.getElementById(rows.dataset.order);
    if (!form || form.elements.ids.value === idsOf(rows)) return;
    form.elements.ids.value = idsOf(rows);
    form.requestSubmit();
  };

  // The row that is dragged stands where it would be put. A table that was refreshed meanwhile has other rows.
  document.addEventListener("dragstart", (event) => {
    if (!event.target.closest?.(".handle")) return;
    dragged = rowOf(event.target);
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.dataset.id);
    event.dataTransfer.setDragImage(dragged, 12, 12);
    dragged.classList.add("is-dragged");
  });

  document.addEventListener("dragover", (event) => {
    const over = rowOf(event.target);
    if (!dragged?.isConnected || !over || over.parentElement !== dragged.parentElement) return;
    event.preventDefault();
    if (over === dragged) return;
    const box = over.getBoundingClientRect();
    over[event.clientY > box.top + box.height / 2 ? "after" : "before"](dragged);
  });

  document.addEventListener("drop", (event) => { if (dragged) event.preventDefault(); });

  document.addEventListener("dragend", () => {
    if (!dragged) return;
    dragged.classList.remove("is-dragged");
    if (dragged.isConnected) send(dragged.parentElement);
    dragged = null;
  });

  // Several presses are one change: it is sent when the keys have rested, or the handle is left.
  document.addEventListener("keydown", (event) => {
    const handle = event.target.closest?.(".handle");
    if (!handle || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    const row = rowOf(handle);
    const other = event.key === "ArrowUp" ? row.previousElementSibling : row.nextElementSibling;
    if (!other) return;
    other[event.key === "ArrowUp" ? "before" : "after"](row);
    handle.focus();
    const voice = document.getElementById("voice");
    if (voice) voice.textContent = `Now number ${[...row.parentElement.children].indexOf(row) + 1}`;
    clearTimeout(late);
    late = setTimeout(() => row.isConnected && send(row.parentElement), 700);
  });
})();
