// What the page does besides the widgets: the theme of the system, the word while it loads, and the
// notice when its kernel is gone. Voilà's own script, which comes after this one, draws the widgets.
"use strict";
{
  const configData = document.getElementById("jupyter-config-data");
  const config = JSON.parse(configData.textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => { document.body.dataset.jpThemeLight = String(!dark.matches); };
  dark.addEventListener("change", follow);
  follow();

  // Voilà calls these; the page has no other use for them.
  window.voila_heartbeat = window.voila_process = window.voila_finish = () => {};

  const loading = document.getElementById("loading");
  const drawn = new MutationObserver(() => {
    if (document.querySelector("#rendered_cells .jupyter-widgets")) {
      drawn.disconnect();
      loading.remove();
    }
  });
  drawn.observe(document.getElementById("rendered_cells"), { childList: true, subtree: true });

  const kernel = `${config.baseUrl}api/kernels/${config.kernelId}`;
  const asleep = document.getElementById("asleep");
  asleep.querySelector("button").addEventListener("click", () => window.location.reload());
  const look = async () => {
    if (document.hidden || !asleep.hidden) return;
    const answer = await fetch(kernel).catch(() => null);  // null: server gone
    if (answer === null || answer.status === 404) {
      loading.remove();
      asleep.hidden = false;
    }
  };
  setInterval(look, 20000);
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pageshow", (event) => { if (event.persisted) look(); });

  // Who leaves makes room for others.
  window.addEventListener("pagehide", () => {
    navigator.sendBeacon(`${config.baseUrl}voila/api/shutdown/${config.kernelId}`);
  });
}
