// The sentence of an explorer on the page, in one live region that stays: screen readers tell that
// its text has changed, but may not notice a region that is new. And a name for each slider of the
// explorer: ipywidgets shows the label beside the handle, but does not give it to the handle.

function render({ model, el }) {
  const sentence = el.appendChild(document.createElement("p"));
  sentence.setAttribute("role", "status");
  sentence.setAttribute("aria-atomic", "true");

  const nameSliders = () => {
    const explorer = el.closest(".widget-vbox");
    for (const handle of explorer?.querySelectorAll("[role=slider]:not([aria-label])") ?? []) {
      const label = handle.closest(".widget-slider").querySelector(".widget-label");
      handle.setAttribute("aria-label", label.textContent);
    }
  };

  const say = () => {
    sentence.setAttribute("aria-live", model.get("live"));
    sentence.textContent = model.get("value");
    nameSliders(); // those that came later than the first sentence
  };

  const shown = new IntersectionObserver(nameSliders); // el is not yet on the page
  shown.observe(el);
  for (const name of ["change:value", "change:live"]) model.on(name, say);
  say();
  return () => {
    shown.disconnect();
    for (const name of ["change:value", "change:live"]) model.off(name, say);
  };
}

export default { render };
