import "./element.js";

const input = document.querySelector("input"), pictures = document.querySelector("#pictures");

input.addEventListener("change", () => {
  for (const file of input.files) {
    const picture = document.createElement("sightline-caption");
    picture.src = URL.createObjectURL(file);
    pictures.prepend(picture);
  }
});
