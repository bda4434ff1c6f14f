using System;
using System.Collections.Generic;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace TokenMocap.Tests
{
    /// <summary>Poses and messages to test with.</summary>
    internal static class Make
    {
        public static readonly string Half = Text(Math.Sqrt(0.5));
        public static readonly string PartsText = "\"hands\":{\"left\":" + HandText() + ",\"right\":" + HandText() +
            "},\"face\":{\"confidence\":0.5,\"blendshapes\":{\"jawOpen\":0.25,\"mouthClose\":0},\"gaze\":[0.5,-0.25]}";

        public static Quaternion Rotation(Random random)
        {
            var q = new Quaternion(Signed(random), Signed(random), Signed(random), Signed(random));
            return q.Length() < 0.1f ? Quaternion.Identity : Quaternion.Normalize(q);
        }

        public static Vector3 Vector(Random random) => new Vector3(Signed(random), Signed(random), Signed(random));

        public static PersonPose Person(int id, Vector3 trans)
        {
            var person = new PersonPose { Id = id, Valid = true, Trans = trans };
            for (int i = 0; i < person.Rotations.Length; i++) person.Rotations[i] = Quaternion.Identity;
            return person;
        }

        public static PoseMessage Pose(long seq, double time, params PersonPose[] people) =>
            new PoseMessage { Seq = seq, CaptureTime = time, PublishTime = time, People = people };

        /// <summary>A pose message's text, two people, every rotation half a turn about x.</summary>
        public static string PoseText(string version = "1", string parts = "\"more\":0") =>
            "pose {\"v\":" + version + ",\"seq\":7,\"t_capture\":1700000000.25,\"t_publish\":1700000000.3,\"fps\":29.97," +
            "\"later\":{\"a\":[1,{\"b\":null}]},\"people\":[" + PersonText(3, parts) + "," + PersonText(4, parts) + "]}";

        public static string PersonText(int id, string parts = "\"more\":0") =>
            "{\"id\":" + id + ",\"confidence\":0.5,\"valid\":true,\"trans\":[1e-05,0.9,-2],\"rotations\":[" +
            Repeat("[1.0,0.0,0,-0.0]", 24) + "],\"joint_confidence\":[" + Repeat("0.25", 24) + "],\"betas\":[0.1,-1]," + parts + ",\"tokens\":[1,2]}";

        public static string SkeletonText(string parents = null, string names = null) =>
            "skeleton {\"v\":1,\"names\":" + (names ?? "[\"" + string.Join("\",\"", SmplJoints.Names) + "\"]") +
            ",\"parents\":" + (parents ?? "[-1,0,0,0,1,2,3,4,5,6,7,8,9,9,9,12,13,14,16,17,18,19,20,21]") +
            ",\"offsets\":[" + Repeat("[0,0.5,0]", 24) + "],\"up_axis\":\"Y\",\"body\":{\"name\":\"open\",\"sha256\":\"ab\"}," +
            "\"betas\":[1,0],\"shape_offsets\":[" + Repeat("[[1,2],[3,4],[5,6]]", 24) + "]}";

        /// <summary>Every finger joint a quarter turn about z.</summary>
        public static string HandText(int count = Fingers.Count) =>
            "{\"confidence\":0.75,\"rotations\":[" + Repeat("[0,0," + Half + "," + Half + "]", count) + "]}";

        /// <summary>`SkeletonText` with fingers, each at (side, joint, 1) from its parent.</summary>
        public static string SkeletonWithHandsText()
        {
            var names = new List<string>();
            var parents = new List<int>();
            var offsets = new List<string>();
            for (int side = 0; side < 2; side++)
            {
                for (int joint = 0; joint < Fingers.Count; joint++)
                {
                    int above = Fingers.Parent(joint);
                    names.Add('"' + Fingers.Name(side, joint) + '"');
                    parents.Add(above < 0 ? Fingers.Wrist(side) : SmplJoints.Count + Fingers.Count * side + above);
                    offsets.Add("[" + side + "," + joint + ",1]");
                }
            }
            return SkeletonText().Replace("\"up_axis\"", "\"hand_names\":[" + string.Join(",", names) + "],\"hand_parents\":[" +
                string.Join(",", parents) + "],\"hand_offsets\":[" + string.Join(",", offsets) + "],\"up_axis\"");
        }

        private static string Repeat(string item, int count)
        {
            var text = new StringBuilder(item);
            for (int i = 1; i < count; i++) text.Append(',').Append(item);
            return text.ToString();
        }

        public static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);

        private static float Signed(Random random) => (float)(random.NextDouble() * 2 - 1);
    }
}
