// Starts Swagger UI on our own document; the validator would send it to another host.
window.addEventListener("load", () => {
  const place = document.getElementById("swagger-ui");
  SwaggerUIBundle({ domNode: place, url: place.dataset.url, validatorUrl: null, deepLinking: true });
});
