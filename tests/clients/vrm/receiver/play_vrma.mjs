// Plays a .vrma on a VRM: `node play_vrma.mjs MOTION.vrma AVATAR.vrm TIME...`. Prints JSON: what was warned of, the
// duration, and at each time where the avatar's own bones are in the world, its expressions, and where it looks.
import fs from "node:fs";
import { VRMLoaderPlugin, VRMUtils } from "@pixiv/three-vrm";
import { createVRMAnimationClip, VRMAnimationLoaderPlugin, VRMLookAtQuaternionProxy } from "@pixiv/three-vrm-animation";
import * as THREE from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

const [motion, avatar, ...times] = process.argv.slice(2);
const warned = [];
console.warn = (...words) => warned.push(words.join(" "));
const loader = new GLTFLoader();
loader.register((parser) => new VRMLoaderPlugin(parser));
loader.register((parser) => new VRMAnimationLoaderPlugin(parser));
const open = (path) => loader.parseAsync(new Uint8Array(fs.readFileSync(path)).buffer, "");
const vrm = (await open(avatar)).userData.vrm;
const animations = (await open(motion)).userData.vrmAnimations;
VRMUtils.rotateVRM0(vrm);
const proxy = new VRMLookAtQuaternionProxy(vrm.lookAt);
proxy.name = "lookAt";
vrm.scene.add(proxy);
const clip = createVRMAnimationClip(animations[0], vrm);
const mixer = new THREE.AnimationMixer(vrm.scene);
const action = mixer.clipAction(clip).setLoop(THREE.LoopOnce);
action.clampWhenFinished = true; // the last frame is at the very end
vrm.scene.updateMatrixWorld(true);
const names = Object.keys(vrm.humanoid.humanBones);
const restHips = vrm.humanoid.normalizedRestPose.hips.position;
const frames = times.map((time) => {
  action.reset().play();
  mixer.setTime(Number(time));
  vrm.update(0);
  vrm.scene.updateMatrixWorld(true);
  const place = (name) => vrm.humanoid.getRawBoneNode(name).getWorldPosition(new THREE.Vector3()).toArray();
  return {
    bones: Object.fromEntries(names.map((name) => [name, place(name)])),
    expressions: vrm.expressionManager.expressions.map((each) => [each.expressionName, each.weight]),
    look: [vrm.lookAt.yaw, vrm.lookAt.pitch],
  };
});
const tracks = animations[0].humanoidTracks;
const restHipsInFile = animations[0].restHipsPosition.toArray();
console.log(JSON.stringify({ warned, duration: clip.duration, keys: tracks.translation.get("hips").times.length,
  animations: animations.length, restHips, restHipsInFile, frames }));
