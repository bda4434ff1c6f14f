using System;
using System.Collections.Generic;
using System.Numerics;
using static TokenMocap.WireValues;

namespace TokenMocap
{
    /// <summary>Reads the parts of messages that a sender has only where it looks for hands and faces.</summary>
    internal static class HandsAndFace
    {
        public static void ReadHands(JsonReader reader, HandPose[] hands)
        {
            reader.BeginObject();
            while (reader.NextKey(out string key))
            {
                int side = Fingers.Side(key);
                if (side < 0) reader.Skip();
                else ReadHand(reader, hands[side]);
            }
        }

        public static void ReadFace(JsonReader reader, FacePose face)
        {
            reader.BeginObject();
            while (reader.NextKey(out string key))
            {
                switch (key)
                {
                    case "confidence": face.Confidence = ReadSingle(reader, key); break;
                    case "blendshapes": ReadBlendShapes(reader, face.BlendShapes); break;
                    case "gaze":
                        float[] gaze = ReadSingles(reader, key);
                        if (gaze.Length != 2) throw new WireException("gaze has not 2 numbers");
                        face.Yaw = gaze[0];
                        face.Pitch = gaze[1];
                        break;
                    default: reader.Skip(); break;
                }
            }
            face.IsSent = true;
        }

        /// <summary>
        /// By side and finger joint, from its parent; null where the skeleton has no hands.
        /// </summary>
        public static Vector3[][] FingerOffsets(List<string> body, List<string> names, List<long> parents, List<Vector3> offsets)
        {
            if (names == null) return null;
            if (parents == null || offsets == null || parents.Count != names.Count || offsets.Count != names.Count)
                throw new WireException("hand_parents and hand_offsets have not " + names.Count + " items");
            var read = new Vector3[2][];
            for (int side = 0; side < 2; side++)
            {
                read[side] = new Vector3[Fingers.Count];
                for (int joint = 0; joint < Fingers.Count; joint++)
                {
                    int place = names.IndexOf(Fingers.Name(side, joint));
                    if (place < 0) throw new WireException("the skeleton's hands lack " + Fingers.Name(side, joint));
                    int above = Fingers.Parent(joint);
                    long wanted = above < 0
                        ? body.IndexOf(SmplJoints.Names[Fingers.Wrist(side)])
                        : body.Count + names.IndexOf(Fingers.Name(side, above));
                    if (parents[place] != wanted) throw new WireException("the fingers do not hang together as SMPL-H's do");
                    read[side][joint] = offsets[place];
                }
            }
            return read;
        }

        private static void ReadHand(JsonReader reader, HandPose hand)
        {
            reader.BeginObject();
            while (reader.NextKey(out string key))
            {
                switch (key)
                {
                    case "confidence": hand.Confidence = ReadSingle(reader, key); break;
                    case "rotations":
                        List<Quaternion> rotations = ReadItems(reader, "a hand's rotations", ReadRotation);
                        if (rotations.Count != Fingers.Count) throw new WireException("a hand has not 15 rotations");
                        rotations.CopyTo(hand.Rotations);
                        hand.IsSent = true;
                        break;
                    default: reader.Skip(); break;
                }
            }
            if (!hand.IsSent) throw new WireException("a hand without rotations");
        }

        private static void ReadBlendShapes(JsonReader reader, float[] values)
        {
            reader.BeginObject();
            while (reader.NextKey(out string name))
            {
                int index = Expressions.IndexOf(name);
                if (index < 0) reader.Skip();
                else values[index] = Math.Max(0, Math.Min(1, ReadSingle(reader, name)));
            }
        }
    }
}
