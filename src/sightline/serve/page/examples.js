// Pictures to try, drawn by the project.

const EXAMPLES = ["dog-on-grass.jpg", "surfer.jpg", "climber.jpg", "player.jpg"];

export function offerExamples(place, add) {
  for (const name of EXAMPLES) {
    const button = document.createElement("button"), picture = document.createElement("img");
    button.type = "button";
    picture.src = `examples/${name}`;
    picture.alt = `Caption the drawing “${name.replace(/\..*/, "").replaceAll("-", " ")}”`;
    button.append(picture);
    button.addEventListener("click", async () => {
      const blob = await (await fetch(picture.src)).blob();
      add([new File([blob], name, {type: blob.type})]);
    });
    place.append(button);
  }
}
