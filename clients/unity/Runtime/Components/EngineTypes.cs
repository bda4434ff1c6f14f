using UnityEngine;

namespace TokenMocap.Unity
{
    /// <summary>The same numbers in UnityEngine's types and in .NET's; frames are `Handedness`'s business.</summary>
    public static class EngineTypes
    {
        public static Vector3 ToEngine(this System.Numerics.Vector3 v) => new Vector3(v.X, v.Y, v.Z);

        public static Quaternion ToEngine(this System.Numerics.Quaternion q) => new Quaternion(q.X, q.Y, q.Z, q.W);

        public static System.Numerics.Vector3 ToNumerics(this Vector3 v) => new System.Numerics.Vector3(v.x, v.y, v.z);

        public static System.Numerics.Quaternion ToNumerics(this Quaternion q) =>
            new System.Numerics.Quaternion(q.x, q.y, q.z, q.w);
    }
}
