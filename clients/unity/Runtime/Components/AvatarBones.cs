using System.Collections.Generic;
using UnityEngine;
using static TokenMocap.SmplJoints;

namespace TokenMocap.Unity
{
    /// <summary>A Humanoid avatar's bones by SMPL's joints, and how they lie in the avatar's T-pose.</summary>
    public sealed class AvatarBones
    {
        /// <summary>By SMPL's joints; SMPL's two hand joints, which lie in the palm, have no bone.</summary>
        private static readonly HumanBodyBones[] Map =
        {
            HumanBodyBones.Hips, HumanBodyBones.LeftUpperLeg, HumanBodyBones.RightUpperLeg, HumanBodyBones.Spine,
            HumanBodyBones.LeftLowerLeg, HumanBodyBones.RightLowerLeg, HumanBodyBones.Chest, HumanBodyBones.LeftFoot,
            HumanBodyBones.RightFoot, HumanBodyBones.UpperChest, HumanBodyBones.LeftToes, HumanBodyBones.RightToes,
            HumanBodyBones.Neck, HumanBodyBones.LeftShoulder, HumanBodyBones.RightShoulder, HumanBodyBones.Head,
            HumanBodyBones.LeftUpperArm, HumanBodyBones.RightUpperArm, HumanBodyBones.LeftLowerArm,
            HumanBodyBones.RightLowerArm, HumanBodyBones.LeftHand, HumanBodyBones.RightHand,
        };

        /// <summary>By side and finger joint.</summary>
        private static readonly HumanBodyBones[][] FingerMap =
        {
            new[]
            {
                HumanBodyBones.LeftIndexProximal, HumanBodyBones.LeftIndexIntermediate, HumanBodyBones.LeftIndexDistal,
                HumanBodyBones.LeftMiddleProximal, HumanBodyBones.LeftMiddleIntermediate, HumanBodyBones.LeftMiddleDistal,
                HumanBodyBones.LeftLittleProximal, HumanBodyBones.LeftLittleIntermediate, HumanBodyBones.LeftLittleDistal,
                HumanBodyBones.LeftRingProximal, HumanBodyBones.LeftRingIntermediate, HumanBodyBones.LeftRingDistal,
                HumanBodyBones.LeftThumbProximal, HumanBodyBones.LeftThumbIntermediate, HumanBodyBones.LeftThumbDistal,
            },
            new[]
            {
                HumanBodyBones.RightIndexProximal, HumanBodyBones.RightIndexIntermediate, HumanBodyBones.RightIndexDistal,
                HumanBodyBones.RightMiddleProximal, HumanBodyBones.RightMiddleIntermediate, HumanBodyBones.RightMiddleDistal,
                HumanBodyBones.RightLittleProximal, HumanBodyBones.RightLittleIntermediate, HumanBodyBones.RightLittleDistal,
                HumanBodyBones.RightRingProximal, HumanBodyBones.RightRingIntermediate, HumanBodyBones.RightRingDistal,
                HumanBodyBones.RightThumbProximal, HumanBodyBones.RightThumbIntermediate, HumanBodyBones.RightThumbDistal,
            },
        };

        private static readonly HumanBodyBones[] EyeMap = { HumanBodyBones.LeftEye, HumanBodyBones.RightEye };

        private static readonly int[] Required =
        {
            Pelvis, LeftHip, RightHip, LeftKnee, RightKnee, LeftAnkle, RightAnkle,
        };

        private readonly Transform _root;
        private readonly Dictionary<string, SkeletonBone> _tPose = new Dictionary<string, SkeletonBone>();

        /// <summary>(22) by joint; null where the avatar has no such bone.</summary>
        public readonly Transform[] Transforms = new Transform[Map.Length];

        /// <summary>(2, 15) by side and finger joint, and (2) eyes; null where the avatar has no such bone.</summary>
        public readonly Transform[][] FingerTransforms = { new Transform[Fingers.Count], new Transform[Fingers.Count] };
        public readonly Transform[] EyeTransforms = new Transform[2];

        public readonly AvatarRest Rest = new AvatarRest();

        private AvatarBones(Animator animator)
        {
            _root = animator.transform;
            foreach (SkeletonBone bone in animator.avatar.humanDescription.skeleton) _tPose[bone.name] = bone;
            for (int joint = 0; joint < Map.Length; joint++)
            {
                Transform bone = animator.GetBoneTransform(Map[joint]);
                if (bone == null) continue;
                Transforms[joint] = bone;
                InTPose(bone, out Matrix4x4 matrix, out Quaternion rotation);
                Rest.Set(joint, matrix.MultiplyPoint3x4(Vector3.zero).ToNumerics(), rotation.ToNumerics());
            }
            for (int side = 0; side < 2; side++)
            {
                for (int joint = 0; joint < Fingers.Count; joint++)
                {
                    Transform bone = FingerTransforms[side][joint] = animator.GetBoneTransform(FingerMap[side][joint]);
                    if (bone == null) continue;
                    InTPose(bone, out Matrix4x4 matrix, out Quaternion rotation);
                    Rest.Hands[side].Set(joint, matrix.MultiplyPoint3x4(Vector3.zero).ToNumerics(), rotation.ToNumerics());
                }
                Transform eye = EyeTransforms[side] = animator.GetBoneTransform(EyeMap[side]);
                if (eye == null) continue;
                InTPose(eye, out _, out Quaternion ahead);
                Rest.Eyes[side] = ahead.ToNumerics();
            }
        }

        /// <summary>Null, and why in one line, where the animator's avatar cannot be driven.</summary>
        public static AvatarBones Find(Animator animator, out string problem)
        {
            problem = null;
            if (animator.avatar == null || !animator.avatar.isValid || !animator.avatar.isHuman)
            {
                problem = animator.name + " has no Humanoid avatar; set Animation Type to Humanoid in the model's Rig tab";
                return null;
            }
            var bones = new AvatarBones(animator);
            foreach (int joint in Required)
            {
                if (bones.Transforms[joint] != null) continue;
                problem = animator.name + " shows no " + Map[joint] +
                    " bone; turn off Optimize Game Objects in the model's Rig tab";
                return null;
            }
            return bones;
        }

        /// <summary>
        /// Puts the bones where they belong; `move` false leaves the hips' place on the floor as in the T-pose.
        /// `follow` says by joint how far, 0..1, from where a bone is now; null: all the way.
        /// </summary>
        public void Apply(AvatarFit fit, bool move, float[] follow = null)
        {
            Vector3 hips = fit.HipsPosition.ToEngine();
            if (!move)
            {
                hips.x = Rest.Positions[Pelvis].X;
                hips.z = Rest.Positions[Pelvis].Z;
            }
            Transforms[Pelvis].position = _root.TransformPoint(hips);
            // A parent comes before its children, and turning a parent turns its children along: world rotations last.
            for (int joint = 0; joint < Transforms.Length; joint++)
                Turn(Transforms[joint], fit.Rotations[joint], follow == null ? 1 : follow[joint]);
        }

        /// <summary>Turns the fingers of a side by `share`, 0..1; after the body, whose hand carries them.</summary>
        public void ApplyFingers(AvatarFit fit, int side, float share)
        {
            for (int joint = 0; joint < Fingers.Count; joint++)
                Turn(FingerTransforms[side][joint], fit.Hands[side].Rotations[joint], share);
        }

        /// <summary>Turns the eyes by `share`, 0..1; after the body, whose head carries them.</summary>
        public void ApplyEyes(AvatarFit fit, float share)
        {
            for (int eye = 0; eye < EyeTransforms.Length; eye++) Turn(EyeTransforms[eye], fit.Eyes[eye], share);
        }

        private void Turn(Transform bone, System.Numerics.Quaternion rotation, float share)
        {
            if (bone == null || share <= 0) return;
            Quaternion wanted = _root.rotation * rotation.ToEngine();
            bone.rotation = share >= 1 ? wanted : Quaternion.Slerp(bone.rotation, wanted, share);
        }

        /// <summary>
        /// From the bone's frame to the root's. The avatar knows its T-pose by the names of its transforms; one that it
        /// does not name stays as it is now.
        /// </summary>
        private void InTPose(Transform bone, out Matrix4x4 matrix, out Quaternion rotation)
        {
            matrix = Matrix4x4.identity;
            rotation = Quaternion.identity;
            for (Transform t = bone; t != null && t != _root; t = t.parent)
            {
                bool isNamed = _tPose.TryGetValue(t.name, out SkeletonBone named);
                Vector3 position = isNamed ? named.position : t.localPosition;
                Quaternion turn = isNamed ? named.rotation : t.localRotation;
                Vector3 scale = isNamed ? named.scale : t.localScale;
                matrix = Matrix4x4.TRS(position, turn, scale) * matrix;
                rotation = turn * rotation;
            }
        }
    }
}
