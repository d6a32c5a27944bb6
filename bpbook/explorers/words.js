// The sentence of an explorer on the page, in one live region that stays: screen readers tell that
// its text has changed, but may not notice a region that is new. And what ipywidgets does not give
// to the sliders of the explorer: their label as a name, of handle and number, and as a value what
// the number beside them shows, where a slider over listed values has its place in the list. And
// the keys of its sliders and drop-down lists, which the notebook would take for its own.

function render({ model, el }) {
  const sentence = el.appendChild(document.createElement("p"));
  sentence.setAttribute("role", "status");
  sentence.setAttribute("aria-atomic", "true");

  const parts = (handle) => {
    const slider = handle.closest(".widget-slider");
    return ["label", "readout"].map((part) => slider.querySelector(`.widget-${part}`));
  };
  const value = (handle) => {
    const shown = parts(handle)[1].textContent;
    if (handle.getAttribute("aria-valuetext") === shown) return;
    handle.setAttribute("aria-valuetext", shown);
  };
  const moves = new MutationObserver((changes) => changes.forEach(({ target }) => value(target)));

  const finishControls = () => {
    const explorer = el.closest(".widget-vbox");
    for (const handle of explorer?.querySelectorAll("[role=slider]:not([aria-label])") ?? []) {
      const [label, readout] = parts(handle);
      for (const part of [handle, readout]) part.setAttribute("aria-label", label.textContent);
      readout.setAttribute("role", "textbox");
      moves.observe(handle, { attributeFilter: ["aria-valuetext"] });
      value(handle);
    }
    for (const control of explorer?.querySelectorAll("[role=slider], select") ?? []) {
      // Or an arrow key goes to the next cell, and an x, to find a name in the list, cuts this one.
      control.setAttribute("data-lm-suppress-shortcuts", "true");
    }
  };

  const say = () => {
    sentence.setAttribute("aria-live", model.get("live"));
    sentence.textContent = model.get("value");
    finishControls(); // those that came later than the first sentence
  };

  const shown = new IntersectionObserver(finishControls); // el is not yet on the page
  shown.observe(el);
  for (const name of ["change:value", "change:live"]) model.on(name, say);
  say();
  return () => {
    for (const observer of [shown, moves]) observer.disconnect();
    for (const name of ["change:value", "change:live"]) model.off(name, say);
  };
}

export default { render };
