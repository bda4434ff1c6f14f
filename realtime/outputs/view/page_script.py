"""Holds the script that a page runs before viser's own: without a graphics card it draws seldom and coarsely."""

from __future__ import annotations

# A browser without a graphics card draws on the processor, which the pose needs. viser draws on for a while after each
# message, as often as it can. Here such a page draws more coarsely, and for a quarter of the time at most. What a
# drawing costs is told by the browser's next frame, which waits for it.
SCRIPT = b"""<script>(() => {
  const context = document.createElement("canvas").getContext("webgl2");
  const names = context && context.getExtension("WEBGL_debug_renderer_info");
  const card = context && context.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : context.RENDERER);
  if (context) context.getExtension("WEBGL_lose_context")?.loseContext();
  if (!/swiftshader|llvmpipe|softpipe|software|basic render/i.test(card)) return;
  const LEAST_MS = 66, SHARE = 0.25, FINENESS = 0.7;
  const nextFrame = window.requestAnimationFrame.bind(window);
  const waiting = new Map();
  let number = 0, due = 0, asked = false;
  const draw = (time) => {
    const began = performance.now(), works = [...waiting.values()];
    waiting.clear();
    for (const work of works) try { work(time); } catch (error) { reportError(error); }
    nextFrame(() => {
      due = began + Math.max(LEAST_MS, (performance.now() - began) / SHARE);
      asked = false;
      if (waiting.size) ask();
    });
  };
  const ask = () => {
    if (asked) return;
    asked = true;
    setTimeout(() => nextFrame(draw), Math.max(0, due - performance.now()));
  };
  window.requestAnimationFrame = (work) => { waiting.set(++number, work); ask(); return number; };
  window.cancelAnimationFrame = (which) => { waiting.delete(which); };
  const fineness = FINENESS * window.devicePixelRatio;
  Object.defineProperty(window, "devicePixelRatio", { get: () => fineness });
})();</script>"""
