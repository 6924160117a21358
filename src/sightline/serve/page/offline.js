// The service worker: what the site consists of comes from this browser's store, so that it works without a network.
"use strict";
const CACHE = __CACHE__, FILES = __FILES__;
const KIND = CACHE.slice(0, CACHE.lastIndexOf(" "));  // without the version

// The large files are put there by the page, which shows how far they have come.
self.addEventListener("install", event => {
  const fresh = FILES.map(name => new Request(name, {cache: "no-cache"}));
  event.waitUntil(caches.open(CACHE).then(store => store.addAll(fresh)));
});

self.addEventListener("activate", event => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith(`${KIND} `) && name !== CACHE) await caches.delete(name);
    }
  })());
});

self.addEventListener("fetch", event => {
  const {method, url, mode} = event.request;
  if (method !== "GET" || !url.startsWith(self.registration.scope)) return;
  event.respondWith((async () => {
    const store = await caches.open(CACHE);
    return await store.match(mode === "navigate" ? page(url) : url) ?? fetch(event.request);
  })());
});

// A visitor may come with the file's name or with a question mark behind it.
function page(url) {
  return url.replace(/[?#].*/s, "").replace(/\/index\.html$/, "/");
}
