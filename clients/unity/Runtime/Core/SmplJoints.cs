using System;
using System.Collections.Generic;

namespace TokenMocap
{
    /// <summary>SMPL's 24 joints in the order of every array here.</summary>
    public static class SmplJoints
    {
        public const int Count = 24;

        public const int Pelvis = 0, LeftHip = 1, RightHip = 2, Spine1 = 3, LeftKnee = 4, RightKnee = 5, Spine2 = 6,
            LeftAnkle = 7, RightAnkle = 8, Spine3 = 9, LeftFoot = 10, RightFoot = 11, Neck = 12, LeftCollar = 13,
            RightCollar = 14, Head = 15, LeftShoulder = 16, RightShoulder = 17, LeftElbow = 18, RightElbow = 19,
            LeftWrist = 20, RightWrist = 21, LeftHand = 22, RightHand = 23;

        public static readonly string[] Names =
        {
            "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
            "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
            "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
            "left_hand", "right_hand",
        };
    }

    /// <summary>The joints of a stream: how many it has, and which of them are SMPL's, by name.</summary>
    public sealed class StreamJoints
    {
        public static readonly StreamJoints Smpl = new StreamJoints(SmplJoints.Names);

        public readonly int Count;
        private readonly int[] _joints; // of each of the stream's: SMPL's, or -1

        /// <summary>Throws WireException where one of SMPL's is missing or comes twice.</summary>
        public StreamJoints(IReadOnlyList<string> names)
        {
            Count = names.Count;
            _joints = new int[Count];
            var found = new bool[SmplJoints.Count];
            for (int i = 0; i < Count; i++)
            {
                int joint = _joints[i] = Array.IndexOf(SmplJoints.Names, names[i]);
                if (joint < 0) continue;
                if (found[joint]) throw new WireException("the skeleton has two joints " + names[i]);
                found[joint] = true;
            }
            int missing = Array.IndexOf(found, false);
            if (missing >= 0) throw new WireException("the skeleton has no joint " + SmplJoints.Names[missing]);
        }

        /// <summary>Which of SMPL's joints the stream's is; -1 for none.</summary>
        public int JointAt(int place) => place >= 0 && place < Count ? _joints[place] : -1;

        /// <summary>Of one item a joint of the stream those of SMPL's joints, in their order.</summary>
        public T[] Select<T>(IReadOnlyList<T> items, string key)
        {
            if (items.Count != Count) throw new WireException(key + " has not " + Count + " items");
            var chosen = new T[SmplJoints.Count];
            for (int i = 0; i < Count; i++)
                if (_joints[i] >= 0) chosen[_joints[i]] = items[i];
            return chosen;
        }
    }
}
