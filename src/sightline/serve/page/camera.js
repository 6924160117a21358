// A photo from the camera: a phone's own camera application where there is one, a live picture elsewhere.

export function offerCamera(button, dialog, capture, add, say) {
  const video = dialog.querySelector("video");
  const phone = matchMedia("(pointer: coarse)").matches;

  button.addEventListener("click", async () => {
    if (phone || !navigator.mediaDevices) return capture.click();
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({video: {width: {ideal: 1280}}});
      dialog.showModal();
    } catch {
      button.textContent = "No camera";
      button.disabled = true;
      say("There is no camera that this page may use");
    }
  });

  dialog.querySelector(".shutter").addEventListener("click", async () => {
    const file = await still(video);
    dialog.close();
    add([file]);
  });
  dialog.querySelector(".cancel").addEventListener("click", () => dialog.close());
  // However it closes, the camera's light goes out.
  dialog.addEventListener("close", () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  });
  capture.addEventListener("change", () => {
    add([...capture.files]);
    capture.value = "";
  });
}

async function still(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise(resolve => canvas.toBlob(resolve, "image/jpeg", 0.95));
  const time = new Date().toLocaleTimeString([], {hour: "2-digit", minute: "2-digit", second: "2-digit"});
  return new File([blob], `camera ${time}.jpg`, {type: blob.type});
}
