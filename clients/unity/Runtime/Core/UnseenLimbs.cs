using System;
using static TokenMocap.SmplJoints;

namespace TokenMocap
{
    /// <summary>
    /// How far the bones of limbs are to follow a stream that says which joints are seen: not at all once nothing at or
    /// beyond a bone's far end has been seen for half a second, fully again when something is.
    /// </summary>
    public sealed class UnseenLimbs
    {
        private const float Unseen = 0.05f, Seen = 0.3f; // confidence, as docs/wire-format.md has it
        private const float Patience = 0.5f; // seconds
        private const float LettingGo = 1f, TakingUp = 0.25f; // seconds from following to not, and back

        // From the trunk outwards: a bone is seen by the joints after it.
        private static readonly int[][] Limbs =
        {
            new[] { LeftHip, LeftKnee, LeftAnkle, LeftFoot }, new[] { RightHip, RightKnee, RightAnkle, RightFoot },
            new[] { LeftShoulder, LeftElbow, LeftWrist, LeftHand }, new[] { RightShoulder, RightElbow, RightWrist, RightHand },
        };

        /// <summary>Behind SMPL's joints in `Follow`: the fingers of either hand, the face.</summary>
        public const int LeftFingers = Count, RightFingers = Count + 1, Face = Count + 2;
        private const int Parts = Count + 3;

        private readonly float[] _unseenFor = new float[Parts];

        /// <summary>By joint or part, 0..1: how far it follows.</summary>
        public readonly float[] Follow = new float[Parts];

        public UnseenLimbs() => Reset();

        /// <summary>Every bone follows.</summary>
        public void Reset()
        {
            Array.Clear(_unseenFor, 0, Parts);
            for (int part = 0; part < Parts; part++) Follow[part] = 1;
        }

        /// <summary>Takes in a pose, `seconds` after the last; one that says nothing of joints counts as seen.</summary>
        public void Update(PersonPose pose, float seconds)
        {
            foreach (int[] limb in Limbs)
            {
                float seen = 0;
                for (int i = limb.Length - 1; i >= 0; i--)
                {
                    seen = Math.Max(seen, Confidence(pose, limb[Math.Min(i + 1, limb.Length - 1)]));
                    Step(limb[i], seen, seconds);
                }
            }
            for (int side = 0; side < pose.Hands.Length; side++)
                Step(LeftFingers + side, pose.Hands[side].IsSent ? pose.Hands[side].Confidence : 1, seconds);
            Step(Face, pose.Face.IsSent ? pose.Face.Confidence : 1, seconds);
        }

        private void Step(int joint, float seen, float seconds)
        {
            if (seen >= Seen) _unseenFor[joint] = 0;
            else if (seen < Unseen || _unseenFor[joint] >= Patience) _unseenFor[joint] += seconds;
            bool follows = _unseenFor[joint] < Patience;
            Follow[joint] = follows
                ? Math.Min(1, Follow[joint] + seconds / TakingUp)
                : Math.Max(0, Follow[joint] - seconds / LettingGo);
        }

        private static float Confidence(PersonPose pose, int joint) =>
            pose.JointConfidence == null ? 1 : pose.JointConfidence[joint];
    }
}
