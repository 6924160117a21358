"use strict";

// Swagger UI's dark colours, where the visitor's are dark.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// The validator's badge would be fetched from another host.
SwaggerUIBundle({ url: "../openapi.json", dom_id: "#api", validatorUrl: null, tryItOutEnabled: true });
