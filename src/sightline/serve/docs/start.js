"use strict";

// The validator's badge would be fetched from another host.
SwaggerUIBundle({ url: "../openapi.json", dom_id: "#api", validatorUrl: null, tryItOutEnabled: true });
