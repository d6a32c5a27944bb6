// The picture of a live explorer: paints frames, asks for the next one, tells where the hand is.
//
// Only the page drives. It has one question at a time under way, and asks for a frame when at most
// one is left to paint: a slow page gets fewer frames, never late ones, and a page that is closed
// asks no more. A view that comes later, or a second one, changes nothing: a question names the
// frame that the page has, and the kernel answers it once.

function render({ model, el }) {
  const view = Math.random().toString(36);
  const [image, cursor] = ["img", "div"].map((tag) => el.appendChild(document.createElement(tag)));
  let closed = false, questions = 0, asked = null, arrived = 0, painted = 0, held = false, hand = [];

  image.className = "widget-image";
  image.title = model.get("name");
  image.alt = model.get("name");
  image.draggable = false;
  Object.assign(image, { width: model.get("width"), height: model.get("height") });
  Object.assign(image.style, { width: "100%", height: "auto", display: "block" });
  el.style.position = "relative"; // the cursor stands on the picture

  const ask = () => {
    if (asked || closed) return;
    const question = hand.length
      ? { kind: "hand", events: hand.splice(0) }
      : model.get("playing") && arrived - painted <= 1
        ? { kind: "frame", after: model.get("frame") }
        : null;
    if (!question) return;
    asked = `${view} ${++questions}`;
    model.send({ ...question, question: asked });
  };

  const answered = () => {
    if (model.get("answer") === asked) asked = null;
    ask();
  };

  const paint = async () => {
    const mine = ++arrived, before = image.src;
    image.src = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
    await image.decode().catch(() => {}); // rejected when a newer picture takes its place
    URL.revokeObjectURL(before);
    await new Promise(requestAnimationFrame); // does not come while the page is hidden
    painted = Math.max(painted, mine);
    ask();
  };

  // The hand, in fractions of the picture; only inside of the region that takes it.
  const place = (event) => {
    const box = image.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const inside = ([x, y]) => {
    const [left, top, right, bottom] = model.get("region");
    return x >= left && x <= right && y >= top && y <= bottom;
  };
  const tell = (phase, [x, y]) => {
    if (phase === "move" && hand.at(-1)?.[0] === "move") hand.pop();
    hand.push([phase, x, y]);
    ask();
  };
  image.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !inside(place(event))) return;
    image.setPointerCapture(event.pointerId);
    held = true;
    cursor.hidden = true;
    tell("down", place(event));
  });
  image.addEventListener("pointermove", (event) => {
    image.style.cursor = inside(place(event)) ? "crosshair" : "";
    if (held) tell("move", place(event));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    image.addEventListener(end, (event) => {
      if (held) tell("up", place(event));
      held = false;
    });
  }

  // The keyboard as a hand: arrows move a cursor (finely with Shift), Enter or Space presses.
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const [left, top, right, bottom] = model.get("region");
  let at = [(left + right) / 2, (top + bottom) / 2];
  image.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (step) {
      const size = event.shiftKey ? 0.005 : 0.025;
      at = [
        Math.min(Math.max(at[0] + step[0] * size * (right - left), left), right),
        Math.min(Math.max(at[1] + step[1] * size * (bottom - top), top), bottom),
      ];
    } else if (event.key === "Enter" || event.key === " ") {
      for (const phase of ["down", "up"]) tell(phase, at);
    } else return;
    event.preventDefault();
    Object.assign(cursor.style, { left: `${100 * at[0]}%`, top: `${100 * at[1]}%` });
    cursor.hidden = false;
  });
  image.addEventListener("blur", () => { cursor.hidden = true; });
  cursor.hidden = true;
  Object.assign(cursor.style, {
    position: "absolute", width: "18px", height: "18px", margin: "-9px 0 0 -9px",
    border: "2px solid #222", outline: "1px solid #fff", borderRadius: "50%",
    boxSizing: "border-box", pointerEvents: "none",
  });
  if (right > left) {
    el.setAttribute("data-lm-suppress-shortcuts", "true"); // the keys are ours, not the notebook's
    image.tabIndex = 0;
    image.setAttribute("role", "application");
    image.setAttribute(
      "aria-label",
      `${model.get("name")}: arrow keys move a cursor on the picture, Enter presses there`,
    );
    image.style.touchAction = "none";
  }

  const listening = { "change:frame": paint, "change:playing": ask, "change:answer": answered };
  for (const [name, react] of Object.entries(listening)) model.on(name, react);
  paint();
  return () => {
    closed = true;
    for (const [name, react] of Object.entries(listening)) model.off(name, react);
    URL.revokeObjectURL(image.src);
  };
}

export default { render };
