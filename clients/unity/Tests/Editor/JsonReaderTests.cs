using System;
using NUnit.Framework;

namespace TokenMocap.Tests
{
    public sealed class JsonReaderTests
    {
        private static double Number(string text)
        {
            var reader = new JsonReader(text);
            double value = reader.Number();
            reader.End();
            return value;
        }

        [Test]
        public void NumbersAreReadAsDotNetReadsThem()
        {
            var random = new Random(1);
            for (int i = 0; i < 20000; i++)
            {
                double value = (random.NextDouble() * 2 - 1) * Math.Pow(10, random.Next(-20, 20));
                Assert.AreEqual(value, Number(Make.Text(value)), Math.Abs(value) * 1e-15);
            }
            foreach (string text in new[] { "0", "-0", "0.1", "-12.5e+3", "1E-7", "123456789012345678901234567890", "0.00000000000000000000012", "5e-324", "1e308" })
            {
                double expected = double.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
                Assert.AreEqual(expected, Number(text), Math.Abs(expected) * 1e-15, text);
            }
            Assert.IsTrue(double.IsPositiveInfinity(Number("1e999")));
            Assert.AreEqual(0.0, Number("1e-999"), 0);
        }

        [Test]
        public void WhatIsNoNumberIsRefused()
        {
            foreach (string text in new[] { "", "-", "+1", ".5", "1.", "1e", "1e+", "01", "-01", "NaN", "Infinity", "0x10", "\"1\"", "1 2" })
                Assert.Throws<JsonException>(() => Number(text), text);
        }

        [Test]
        public void StringsAreUnescaped()
        {
            var reader = new JsonReader(" \"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC-\\ud83d\\ude00\" ");
            Assert.AreEqual("a\"\\/\b\f\n\r\té€-\U0001F600", reader.String());
            reader.End();
            foreach (string text in new[] { "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "a" })
                Assert.Throws<JsonException>(() => new JsonReader(text).String(), text);
        }

        [Test]
        public void ObjectsAndArraysAreWalked()
        {
            var reader = new JsonReader("{ \"a\" : [1, 2,3 ] , \"b\":{}, \"c\" :true}");
            var seen = "";
            reader.BeginObject();
            while (reader.NextKey(out string key))
            {
                seen += key;
                if (key == "a")
                {
                    reader.BeginArray();
                    while (reader.NextItem()) seen += reader.Number();
                }
                else if (key == "c") seen += reader.Boolean();
                else reader.Skip();
            }
            reader.End();
            Assert.AreEqual("a123bcTrue", seen);
        }

        [Test]
        public void BrokenStructureIsRefused()
        {
            foreach (string text in new[] { "{", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}",
                "[}", "{]", "nul", "tru", "[1]]", "{}x", "\0" })
            {
                Assert.Throws<JsonException>(() =>
                {
                    var reader = new JsonReader(text);
                    reader.Skip();
                    reader.End();
                }, text);
            }
        }

        [Test]
        public void DeepNestingIsRefusedAndDoesNotExhaustTheStack()
        {
            Assert.Throws<JsonException>(() => new JsonReader(new string('[', 1000000)).Skip());
            string deep = new string('[', 64) + new string(']', 64);
            new JsonReader(deep).Skip();
        }
    }
}
