using System.Numerics;
using static TokenMocap.SmplJoints;

namespace TokenMocap
{
    /// <summary>
    /// An avatar in its T-pose, in the frame of its root (Unity's: left-handed, Y up, facing +Z): by SMPL's joint, where
    /// the bone that begins there lies and how it is turned.
    /// </summary>
    public sealed class AvatarRest
    {
        public readonly bool[] Has = new bool[Count];
        public readonly Vector3[] Positions = new Vector3[Count];
        public readonly Quaternion[] Rotations = new Quaternion[Count];
        /// <summary>By `Fingers.Left` and `Fingers.Right`.</summary>
        public readonly HandRest[] Hands = { new HandRest(), new HandRest() };
        /// <summary>The eyes' rotations, left and right, looking ahead.</summary>
        public readonly Quaternion[] Eyes = { Quaternion.Identity, Quaternion.Identity };

        public void Set(int joint, Vector3 position, Quaternion rotation)
        {
            Has[joint] = true;
            Positions[joint] = position;
            Rotations[joint] = rotation;
        }
    }

    /// <summary>
    /// Fits a captured pose to an avatar whose bones have axes, lengths and numbers of their own.
    /// </summary>
    /// <remarks>
    /// A bone turns from the avatar's T-pose as our joint turns from our rest pose: R = D_joint C R_Tpose, all in the
    /// frame of the avatar's root. C carries the direction of the avatar's limb in its T-pose to that of ours at rest,
    /// so that captured and shown limbs point the same way although the two rest poses differ by some degrees. The
    /// middle of the hip joints goes where ours goes, scaled by the ratio of the legs.
    /// </remarks>
    public sealed class AvatarFit
    {
        /// <summary>How far the ankle joint lies above the sole in an SMPL body, metres.</summary>
        private const float AnkleAboveSole = 0.075f;
        private const float Negligible = 1e-5f; // metres

        // Joint, the joint at its limb's other end, and the joint beyond that goes rigidly with the limb at rest, if any.
        private static readonly int[][] Limbs =
        {
            new[] { LeftHip, LeftKnee }, new[] { LeftKnee, LeftAnkle },
            new[] { RightHip, RightKnee }, new[] { RightKnee, RightAnkle },
            new[] { LeftShoulder, LeftElbow }, new[] { LeftElbow, LeftWrist, LeftWrist },
            new[] { RightShoulder, RightElbow }, new[] { RightElbow, RightWrist, RightWrist },
        };

        private readonly AvatarRest _rest;
        private readonly int[] _source = new int[Count]; // whose rotation a bone takes
        private readonly Quaternion[] _corrections = new Quaternion[Count];
        private readonly Quaternion[] _world = new Quaternion[Count];
        private readonly Vector3[] _offsets = new Vector3[Count];

        /// <summary>Each bone's rotation in the root's frame, by joint; of bones that the avatar has.</summary>
        public readonly Quaternion[] Rotations = new Quaternion[Count];

        /// <summary>By `Fingers.Left` and `Fingers.Right`; up to date where the person's hand was sent.</summary>
        public readonly HandFit[] Hands;

        /// <summary>The eyes' rotations in the root's frame; up to date where the person's face was sent.</summary>
        public readonly Quaternion[] Eyes = new Quaternion[2];

        /// <summary>Where the hips bone goes, in the root's frame.</summary>
        public Vector3 HipsPosition { get; private set; }

        /// <summary>Avatar's metres for one of ours.</summary>
        public float Scale { get; private set; } = 1;

        /// <param name="rest">Must have hips, upper and lower legs and feet, as every Humanoid does.</param>
        public AvatarFit(AvatarRest rest)
        {
            _rest = rest;
            Hands = new[] { new HandFit(rest.Hands[Fingers.Left], Fingers.Left), new HandFit(rest.Hands[Fingers.Right], Fingers.Right) };
            for (int joint = 0; joint < Count; joint++) _source[joint] = joint;
            // The chest carries the arms: where there are fewer torso bones, the last one turns as our highest does.
            if (!rest.Has[Spine3]) _source[rest.Has[Spine2] ? Spine2 : Spine1] = Spine3;
        }

        public void Update(Skeleton skeleton, PersonPose pose)
        {
            skeleton.OffsetsOf(pose, _offsets);
            skeleton.WorldRotations(pose, _world);
            for (int joint = 0; joint < Count; joint++) _corrections[joint] = Quaternion.Identity;
            foreach (int[] limb in Limbs) Correct(limb);
            for (int side = 0; side < Hands.Length; side++) UpdateHand(side, skeleton, pose.Hands[side]);
            for (int eye = 0; eye < Eyes.Length && pose.Face.IsSent; eye++)
                Eyes[eye] = Quaternion.Normalize(Handedness.Convert(_world[Head] * pose.Face.Gaze) * _rest.Eyes[eye]);
            for (int joint = 0; joint < Count; joint++)
            {
                if (!_rest.Has[joint]) continue;
                Quaternion turn = Handedness.Convert(_world[_source[joint]]);
                Rotations[joint] = Quaternion.Normalize(turn * _corrections[joint] * _rest.Rotations[joint]);
            }
            Place(pose);
        }

        private void UpdateHand(int side, Skeleton skeleton, HandPose hand)
        {
            int wrist = Fingers.Wrist(side);
            _corrections[wrist] = Hands[side].PalmCorrection(skeleton, _rest.Positions[wrist], _corrections[wrist]);
            if (hand.IsSent) Hands[side].Update(skeleton, hand, _world[wrist], _corrections[wrist]);
        }

        private void Correct(int[] limb)
        {
            if (!_rest.Has[limb[0]] || !_rest.Has[limb[1]]) return;
            Vector3 theirs = _rest.Positions[limb[1]] - _rest.Positions[limb[0]];
            Vector3 ours = Handedness.Convert(_offsets[limb[1]]);
            if (theirs.Length() < Negligible || ours.Length() < Negligible) return;
            Quaternion correction = Between(theirs, ours);
            _corrections[limb[0]] = correction;
            if (limb.Length == 3) _corrections[limb[2]] = correction;
        }

        private void Place(PersonPose pose)
        {
            Vector3[] at = _rest.Positions;
            float theirLegs = Vector3.Distance(at[LeftHip], at[LeftKnee]) + Vector3.Distance(at[LeftKnee], at[LeftAnkle]) +
                Vector3.Distance(at[RightHip], at[RightKnee]) + Vector3.Distance(at[RightKnee], at[RightAnkle]);
            float ourLegs = _offsets[LeftKnee].Length() + _offsets[LeftAnkle].Length() +
                _offsets[RightKnee].Length() + _offsets[RightAnkle].Length();
            Scale = ourLegs < Negligible ? 1 : theirLegs / ourLegs;
            Vector3 ourMiddle = (_offsets[LeftHip] + _offsets[RightHip]) / 2;
            Vector3 theirMiddle = (at[LeftHip] + at[RightHip]) / 2 - at[Pelvis];
            Vector3 middle = Handedness.Convert(pose.Trans + Vector3.Transform(ourMiddle, _world[Pelvis])) * Scale;
            float theirAnkle = (at[LeftAnkle].Y + at[RightAnkle].Y) / 2; // the avatar's soles are at its root's height
            middle.Y += theirAnkle - AnkleAboveSole * pose.Scale * Scale;
            HipsPosition = middle - Vector3.Transform(theirMiddle, Handedness.Convert(_world[Pelvis]));
        }

        /// <summary>The smallest rotation that takes one direction to another.</summary>
        public static Quaternion Between(Vector3 from, Vector3 to)
        {
            from = Vector3.Normalize(from);
            to = Vector3.Normalize(to);
            float w = 1 + Vector3.Dot(from, to);
            if (w < 1e-6f) // opposite: half a turn about anything across
            {
                Vector3 across = System.Math.Abs(from.X) < 0.7f ? Vector3.UnitX : Vector3.UnitY;
                return new Quaternion(Vector3.Normalize(Vector3.Cross(from, across)), 0);
            }
            return Quaternion.Normalize(new Quaternion(Vector3.Cross(from, to), w));
        }
    }
}
