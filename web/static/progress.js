// Tells a page that is open how far the work on it is. Without this the page says so when it is loaded again.
"use strict";
const place = document.querySelector("[data-progress]");
if (place) {
  const source = new EventSource(place.dataset.progress);
  const put = (name, text) => {
    const element = place.querySelector(`[data-${name}]`);
    // Text and never markup; unchanged text is not announced again.
    if (element && element.textContent !== text) element.textContent = text;
  };
  source.addEventListener("work", (event) => {
    const work = JSON.parse(event.data);
    // Another piece of work has begun: the page lists it.
    if (work.what !== place.dataset.what) location.reload();
    put("state", work.state);
    put("said", work.said);
  });
  source.addEventListener("end", () => {
    source.close();
    location.reload();
  });
}
