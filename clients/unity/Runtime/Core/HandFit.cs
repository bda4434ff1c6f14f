using System.Numerics;

namespace TokenMocap
{
    /// <summary>One hand of an avatar in its T-pose, in the frame of its root, as `AvatarRest` has the body.</summary>
    public sealed class HandRest
    {
        public readonly bool[] Has = new bool[Fingers.Count];
        public readonly Vector3[] Positions = new Vector3[Fingers.Count];
        public readonly Quaternion[] Rotations = new Quaternion[Fingers.Count];

        public void Set(int joint, Vector3 position, Quaternion rotation)
        {
            Has[joint] = true;
            Positions[joint] = position;
            Rotations[joint] = rotation;
        }
    }

    /// <summary>
    /// Fits captured fingers to one hand of an avatar. The palm is brought into the plane of our knuckles, because
    /// fingers bend across it. Then each finger's bones take our directions by the smallest turn. A last bone, whose tip
    /// nobody names, goes with the one before.
    /// </summary>
    public sealed class HandFit
    {
        private const float Negligible = 1e-5f; // metres, and of an area

        private readonly HandRest _rest;
        private readonly int _side;
        private readonly Quaternion[] _world = new Quaternion[Fingers.Count];

        /// <summary>Each finger bone's rotation in the root's frame; of bones that the avatar has.</summary>
        public readonly Quaternion[] Rotations = new Quaternion[Fingers.Count];

        public HandFit(HandRest rest, int side)
        {
            _rest = rest;
            _side = side;
        }

        /// <summary>What takes the avatar's hand from its T-pose to our rest pose; `otherwise` where no knuckles are known.</summary>
        public Quaternion PalmCorrection(Skeleton skeleton, Vector3 wrist, Quaternion otherwise)
        {
            if (skeleton.FingerOffsets == null || !_rest.Has[Fingers.Index1] || !_rest.Has[Fingers.Pinky1]) return otherwise;
            Vector3[] ours = skeleton.FingerOffsets[_side];
            Vector3 theirIndex = _rest.Positions[Fingers.Index1] - wrist, theirPinky = _rest.Positions[Fingers.Pinky1] - wrist;
            Vector3 ourIndex = Handedness.Convert(ours[Fingers.Index1]), ourPinky = Handedness.Convert(ours[Fingers.Pinky1]);
            Vector3 theirNormal = Vector3.Cross(theirIndex, theirPinky), ourNormal = Vector3.Cross(ourIndex, ourPinky);
            if (theirNormal.Length() < Negligible * Negligible || ourNormal.Length() < Negligible * Negligible) return otherwise;
            Quaternion along = AvatarFit.Between(theirIndex + theirPinky, ourIndex + ourPinky);
            return AvatarFit.Between(Vector3.Transform(theirNormal, along), ourNormal) * along;
        }

        /// <param name="wrist">Our wrist's rotation into the world.</param>
        /// <param name="palm">What `PalmCorrection` says.</param>
        public void Update(Skeleton skeleton, HandPose hand, Quaternion wrist, Quaternion palm)
        {
            Quaternion correction = palm;
            for (int joint = 0; joint < Fingers.Count; joint++)
            {
                int above = Fingers.Parent(joint);
                _world[joint] = Quaternion.Normalize((above < 0 ? wrist : _world[above]) * hand.Rotations[joint]);
                if (above < 0) correction = palm;
                correction = Correction(skeleton, joint, palm, correction);
                if (_rest.Has[joint])
                    Rotations[joint] = Quaternion.Normalize(Handedness.Convert(_world[joint]) * correction * _rest.Rotations[joint]);
            }
        }

        private Quaternion Correction(Skeleton skeleton, int joint, Quaternion palm, Quaternion before)
        {
            int tip = joint + 1;
            bool isLast = joint % 3 == 2;
            if (isLast || skeleton.FingerOffsets == null || !_rest.Has[joint] || !_rest.Has[tip]) return before;
            Vector3 theirs = Vector3.Transform(_rest.Positions[tip] - _rest.Positions[joint], palm);
            Vector3 ours = Handedness.Convert(skeleton.FingerOffsets[_side][tip]);
            if (theirs.Length() < Negligible || ours.Length() < Negligible) return before;
            return AvatarFit.Between(theirs, ours) * palm;
        }
    }
}
