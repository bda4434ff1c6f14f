namespace TokenMocap
{
    /// <summary>One hand's fifteen joints in SMPL-H's order: index, middle, pinky, ring, thumb, from the knuckle on.</summary>
    public static class Fingers
    {
        public const int Count = 15;
        public const int Left = 0, Right = 1;
        public const int Index1 = 0, Pinky1 = 6;

        private static readonly string[] Kinds = { "index", "middle", "pinky", "ring", "thumb" };
        private static readonly string[] Sides = { "left", "right" };

        /// <summary>The joint that fingers of a side hang on.</summary>
        public static int Wrist(int side) => side == Left ? SmplJoints.LeftWrist : SmplJoints.RightWrist;

        /// <summary>The joint before on the same finger; -1 for a knuckle, which hangs on the wrist.</summary>
        public static int Parent(int joint) => joint % 3 == 0 ? -1 : joint - 1;

        /// <summary>As the wire has it: left_index1 to right_thumb3.</summary>
        public static string Name(int side, int joint) => Sides[side] + "_" + Kinds[joint / 3] + (joint % 3 + 1);

        /// <summary>As the wire's `hands` has it.</summary>
        public static int Side(string name) => System.Array.IndexOf(Sides, name);
    }
}
