using System;
using System.Numerics;
using NUnit.Framework;

namespace TokenMocap.Tests
{
    public sealed class HandednessTests
    {
        [Test]
        public void TheBodysLeftIsUnitysMinusX()
        {
            Assert.AreEqual(new Vector3(-1, 2, 3), Handedness.Convert(new Vector3(1, 2, 3)));
        }

        [Test]
        public void AQuarterTurnToTheLeftStaysATurnToTheLeft()
        {
            // Right-handed, a quarter turn about Y takes forward (+Z) to the left (+X); in Unity the left is -X.
            var turn = Quaternion.CreateFromAxisAngle(Vector3.UnitY, (float)Math.PI / 2);
            Vector3 forward = Vector3.Transform(Vector3.UnitZ, Handedness.Convert(turn));
            Assert.AreEqual(0, Vector3.Distance(forward, -Vector3.UnitX), 1e-6);
        }

        [Test]
        public void RotatingAndConvertingCommute()
        {
            var random = new Random(3);
            for (int i = 0; i < 1000; i++)
            {
                Quaternion q = Make.Rotation(random);
                Vector3 p = Make.Vector(random);
                Vector3 there = Handedness.Convert(Vector3.Transform(p, q));
                Vector3 here = Vector3.Transform(Handedness.Convert(p), Handedness.Convert(q));
                Assert.AreEqual(0, Vector3.Distance(there, here), 1e-5);
            }
        }

        [Test]
        public void TwiceIsNothing()
        {
            var random = new Random(4);
            Quaternion q = Make.Rotation(random);
            Vector3 p = Make.Vector(random);
            Assert.AreEqual(q, Handedness.Convert(Handedness.Convert(q)));
            Assert.AreEqual(p, Handedness.Convert(Handedness.Convert(p)));
        }
    }
}
