using System;
using System.Collections.Generic;
using System.Numerics;

namespace TokenMocap
{
    /// <summary>Values of a message: of the right kind, length and size, or a WireException.</summary>
    internal static class WireValues
    {
        private const int MostItems = 1024;
        private const double LargestInteger = 9007199254740992; // 2^53: JSON's numbers are doubles

        public delegate T Reading<T>(JsonReader reader, string key);

        public static List<T> ReadItems<T>(JsonReader reader, string key, Reading<T> read)
        {
            var items = new List<T>(SmplJoints.Count);
            reader.BeginArray();
            while (reader.NextItem())
            {
                if (items.Count == MostItems) throw new WireException(key + " is too long");
                items.Add(read(reader, key));
            }
            return items;
        }

        public static string ReadString(JsonReader reader, string key) => reader.String();

        public static Vector3 ReadVector(JsonReader reader, string key)
        {
            reader.BeginArray();
            var vector = new Vector3(Item(reader, key), Item(reader, key), Item(reader, key));
            EndItems(reader, key);
            return vector;
        }

        /// <summary>Three rows, x, y and z, of as many numbers as there are shape components -> a vector each.</summary>
        public static Vector3[] ReadVectors(JsonReader reader, string key)
        {
            reader.BeginArray();
            float[][] rows = { ReadRow(reader, key), ReadRow(reader, key), ReadRow(reader, key) };
            EndItems(reader, key);
            if (rows[1].Length != rows[0].Length || rows[2].Length != rows[0].Length)
                throw new WireException(key + " has rows of different lengths");
            var vectors = new Vector3[rows[0].Length];
            for (int i = 0; i < vectors.Length; i++) vectors[i] = new Vector3(rows[0][i], rows[1][i], rows[2][i]);
            return vectors;
        }

        /// <summary>A unit quaternion x, y, z, w.</summary>
        public static Quaternion ReadRotation(JsonReader reader, string key)
        {
            reader.BeginArray();
            var q = new Quaternion(Item(reader, key), Item(reader, key), Item(reader, key), Item(reader, key));
            EndItems(reader, key);
            float length = q.Length();
            if (!(length > 0.5f && length < 2f)) throw new WireException(key + " has a quaternion that is not of length 1");
            return Quaternion.Normalize(q);
        }

        public static float[] ReadSingles(JsonReader reader, string key)
        {
            var numbers = new List<float>(16);
            reader.BeginArray();
            while (reader.NextItem())
            {
                if (numbers.Count == MostItems) throw new WireException(key + " is too long");
                numbers.Add(ReadSingle(reader, key));
            }
            return numbers.ToArray();
        }

        public static long ReadInteger(JsonReader reader, string key)
        {
            double value = reader.Number();
            if (!(Math.Abs(value) <= LargestInteger) || value != Math.Floor(value))
                throw new WireException(key + " is not a whole number");
            return (long)value;
        }

        public static double ReadFinite(JsonReader reader, string key)
        {
            double value = reader.Number();
            if (double.IsInfinity(value)) throw new WireException(key + " is not finite");
            return value;
        }

        public static float ReadSingle(JsonReader reader, string key)
        {
            float value = (float)reader.Number();
            if (float.IsInfinity(value)) throw new WireException(key + " is not finite");
            return value;
        }

        private static float[] ReadRow(JsonReader reader, string key)
        {
            if (!reader.NextItem()) throw new WireException(key + " is too short");
            return ReadSingles(reader, key);
        }

        private static float Item(JsonReader reader, string key)
        {
            if (!reader.NextItem()) throw new WireException(key + " is too short");
            return ReadSingle(reader, key);
        }

        private static void EndItems(JsonReader reader, string key)
        {
            if (reader.NextItem()) throw new WireException(key + " is too long");
        }
    }
}
