using System.Numerics;

namespace TokenMocap
{
    /// <summary>
    /// The one place where the sender's right-handed world becomes Unity's left-handed one: x is mirrored. In both, Y
    /// is up and a body faces +Z. The map is its own inverse.
    /// </summary>
    public static class Handedness
    {
        public static Vector3 Convert(Vector3 p) => new Vector3(-p.X, p.Y, p.Z);

        /// <summary>Mirroring keeps the part of the axis along x and turns the rest: M R M for M = diag(-1, 1, 1).</summary>
        public static Quaternion Convert(Quaternion q) => new Quaternion(q.X, -q.Y, -q.Z, q.W);
    }
}
