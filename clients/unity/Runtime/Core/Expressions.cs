using System;
using System.Collections.Generic;
using System.Text.RegularExpressions;

namespace TokenMocap
{
    /// <summary>ARKit's 52 expressions, in the order of every array of them here.</summary>
    public static class Expressions
    {
        public static readonly string[] Names =
        {
            "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
            "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
            "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
            "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen",
            "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight",
            "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight",
            "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
            "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft",
            "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
        };

        private static readonly Regex Spelling =
            new Regex(@"^(?:.*[.:](?!(?:l|r|left|right)$))?(?<stem>.+?)(?:[._ -](?<side>l|r|left|right))?$", RegexOptions.CultureInvariant);
        private static readonly Regex Separators = new Regex("[^a-z0-9]", RegexOptions.CultureInvariant);
        private static readonly Regex AnySide = new Regex("(left|right)$", RegexOptions.CultureInvariant);
        private static readonly Dictionary<string, int> Exact = Indices(StringComparer.Ordinal);
        private static readonly Dictionary<string, int> Plain = Indices(StringComparer.OrdinalIgnoreCase);

        /// <summary>The index of the very name, as the wire has it; -1 for none.</summary>
        public static int IndexOf(string name) => Exact.TryGetValue(name, out int index) ? index : -1;

        /// <summary>
        /// The expression that a blend shape of an avatar shows; -1 for none. Case, a prefix ("blendShape1.") and the way
        /// to write the side ("eyeBlink_L") do not matter. Half of an expression without sides is the whole.
        /// </summary>
        public static int Find(string blendShape)
        {
            Match match = Spelling.Match(blendShape.ToLowerInvariant());
            if (!match.Success) return -1;
            string side = match.Groups["side"].Value;
            string name = Separators.Replace(match.Groups["stem"].Value, "") + (side == "l" ? "left" : side == "r" ? "right" : side);
            if (Plain.TryGetValue(name, out int index)) return index;
            return Plain.TryGetValue(AnySide.Replace(name, ""), out index) ? index : -1;
        }

        private static Dictionary<string, int> Indices(StringComparer comparer)
        {
            var indices = new Dictionary<string, int>(comparer);
            for (int i = 0; i < Names.Length; i++) indices[Names[i]] = i;
            return indices;
        }
    }
}
