// Plays an exported .glb or .fbx in three.js: prints its meshes, its bones at rest and at each time, and its morphs, as JSON.
import fs from "node:fs";
import * as THREE from "three";
import { FBXLoader } from "three/examples/jsm/loaders/FBXLoader.js";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

const [path, ...times] = process.argv.slice(2);
const bytes = new Uint8Array(fs.readFileSync(path)).buffer;
const read = path.endsWith(".fbx") ? new FBXLoader().parse(bytes, "") : await new GLTFLoader().parseAsync(bytes, "");
const scene = read.scene ?? read;
const mixer = new THREE.AnimationMixer(scene);
const action = mixer.clipAction(read.animations[0]).setLoop(THREE.LoopOnce);
action.clampWhenFinished = true; // the last frame is at the very end

const bones = [];
const meshes = [];
const rest = {};
scene.traverse((object) => {
  if (object.isBone) bones.push(object);
  if (object.isMesh) meshes.push(object);
});
for (const mesh of meshes.filter((mesh) => mesh.isSkinnedMesh)) {
  mesh.skeleton.bones.forEach((bone, index) => {
    const bound = mesh.skeleton.boneInverses[index].clone().invert();
    rest[bone.name] = new THREE.Vector3().setFromMatrixPosition(bound).toArray();
  });
}
const morphs = [];
const frames = times.map((time) => {
  action.reset().play(); // one that has come to its end stays there
  mixer.setTime(Number(time));
  scene.updateMatrixWorld(true);
  const { morphTargetDictionary: named = {}, morphTargetInfluences: weights } = meshes[0];
  morphs.push(Object.fromEntries(Object.entries(named).map(([name, index]) => [name, weights[index]])));
  return Object.fromEntries(bones.map((bone) => [bone.name, bone.getWorldPosition(new THREE.Vector3()).toArray()]));
});
console.log(JSON.stringify({ meshes: meshes.map((mesh) => mesh.name), rest, frames, morphs }));
