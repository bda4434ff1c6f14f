using System;
using System.Numerics;
using System.Text;
using NUnit.Framework;

namespace TokenMocap.Tests
{
    public sealed class WireFormatTests
    {
        [Test]
        public void APoseIsReadAndUnknownKeysArePassedOver()
        {
            var pose = (PoseMessage)WireFormat.Parse(Make.PoseText());
            Assert.AreEqual(7L, pose.Seq);
            Assert.AreEqual(1700000000.25, pose.CaptureTime, 1e-6);
            Assert.AreEqual(29.97, pose.Fps, 1e-9);
            Assert.AreEqual(2, pose.People.Length);
            PersonPose person = pose.Person(4);
            Assert.IsTrue(person.Valid);
            Assert.AreEqual(new Vector3(1e-5f, 0.9f, -2), person.Trans);
            Assert.AreEqual(new Quaternion(1, 0, 0, 0), person.Rotations[23]);
            Assert.AreEqual(-1.0, person.Betas[1], 0);
            Assert.IsNull(pose.Person(5));
        }

        [Test]
        public void ASkeletonIsReadWithItsShape()
        {
            var message = (SkeletonMessage)WireFormat.Parse(Make.SkeletonText());
            Assert.AreEqual("open", message.BodyName);
            Assert.AreEqual(-1, message.Skeleton.Parents[0]);
            Assert.AreEqual(21, message.Skeleton.Parents[23]);
            var offsets = new Vector3[24];
            message.Skeleton.OffsetsOf(new float[] { 1, 0 }, offsets); // the shape that the offsets are of
            Assert.AreEqual(new Vector3(0, 0.5f, 0), offsets[5]);
            message.Skeleton.OffsetsOf(new float[] { 2, 1 }, offsets);
            Assert.AreEqual(new Vector3(1 + 2, 0.5f + 3 + 4, 5 + 6), offsets[5]);
        }

        [Test]
        public void EachJointsConfidenceIsReadWhereItIsSent()
        {
            var pose = (PoseMessage)WireFormat.Parse(Make.PoseText());
            Assert.AreEqual(SmplJoints.Count, pose.People[0].JointConfidence.Length);
            foreach (float seen in pose.People[0].JointConfidence) Assert.AreEqual(0.25, seen, 1e-6);
            var copy = new PersonPose();
            copy.SetBetween(pose.People[0], pose.People[1], 0.3f);
            Assert.AreEqual(0.25, copy.JointConfidence[7], 1e-6);
            string before = Make.PoseText().Replace("joint_confidence", "later_key");
            Assert.IsNull(((PoseMessage)WireFormat.Parse(before)).People[0].JointConfidence);
        }

        [Test]
        public void APersonsScaleIsReadWhereItIsSentAndTheirOffsetsGrowWithIt()
        {
            Assert.AreEqual(1.0, ((PoseMessage)WireFormat.Parse(Make.PoseText())).People[0].Scale, 0);
            string scaled = Make.PoseText().Replace("\"tokens\"", "\"scale\":0.5,\"tokens\"");
            PersonPose person = ((PoseMessage)WireFormat.Parse(scaled)).People[0];
            Assert.AreEqual(0.5, person.Scale, 1e-6);
            var between = new PersonPose();
            between.SetBetween(person, new PersonPose(), 0.5f);
            Assert.AreEqual(0.75, between.Scale, 1e-6);
            var offsets = new Vector3[24];
            person.Betas = new float[] { 1, 0 };
            ((SkeletonMessage)WireFormat.Parse(Make.SkeletonText())).Skeleton.OffsetsOf(person, offsets);
            Assert.AreEqual(new Vector3(0, 0.25f, 0), offsets[5]);
            Assert.Throws<WireException>(() => WireFormat.Parse(scaled.Replace("0.5,", "0,")));
        }

        [Test]
        public void AStatusIsRead()
        {
            var status = (StatusMessage)WireFormat.Parse("status {\"v\":1,\"state\":\"lost\",\"dropped\":12,\"message\":\"no camera\"}");
            Assert.AreEqual("lost", status.State);
            Assert.AreEqual(12L, status.Dropped);
            Assert.AreEqual("no camera", status.Message);
        }

        [Test]
        public void AnotherVersionIsRefusedWithAClearMessage()
        {
            foreach (string version in new[] { "2", "0", "1.5" })
            {
                var error = Assert.Throws<WireException>(() => WireFormat.Parse(Make.PoseText(version)));
                Assert.IsTrue(error.Message.Contains("version " + version) && error.Message.Contains("update"), error.Message);
            }
            var later = Assert.Throws<WireException>(() => WireFormat.Parse("pose {\"people\":\"elsewhere\",\"v\":2}"));
            Assert.IsTrue(later.Message.Contains("version 2"), later.Message);
            Assert.Throws<WireException>(() => WireFormat.Parse("pose {\"seq\":1}"));
        }

        [Test]
        public void AnUnknownTopicIsPassedOver()
        {
            Assert.IsNull(WireFormat.Parse("mesh {\"v\":1}"));
        }

        [Test]
        public void WhatDoesNotFitIsRefused()
        {
            string pose = Make.PoseText();
            string skeleton = Make.SkeletonText();
            foreach (string text in new[]
            {
                "", "pose", "pose ", " {}", "pose []", "pose {}", "pose {\"v\":1}",
                pose.Replace("\"id\":3", "\"id\":3.5"), pose.Replace("\"id\":3", "\"id\":1e12"), pose.Replace("\"id\":3,", ""),
                pose.Replace("0.9,-2]", "0.9]"), pose.Replace("0.9,-2]", "0.9,-2,1]"), pose.Replace("0.9", "NaN"), pose.Replace("0.9", "1e300"),
                pose.Replace("[1.0,0.0,0,-0.0]", "[0,0,0,0]"), pose.Replace("[1.0,0.0,0,-0.0],", ""), pose.Replace("1700000000.25", "1e400"),
                pose.Replace("\"people\"", "\"persons\""), pose + "x", pose.Substring(0, pose.Length - 1),
                pose.Replace("\"joint_confidence\":[0.25,", "\"joint_confidence\":["), pose.Replace("[0.25,", "[1e300,"),
                skeleton.Replace("\"Y\"", "\"Z\""), skeleton.Replace("\"pelvis\"", "\"hips\""), skeleton.Replace("[0,0.5,0],", ""),
                skeleton.Replace("[[1,2],", "[[1],"),
                Make.SkeletonText(parents: "[-1,0,0,0,1,2,3,4,5,6,7,8,9,9,9,12,13,14,16,17,18,19,20,23]"),
                Make.SkeletonText(parents: "[0,0,0,0,1,2,3,4,5,6,7,8,9,9,9,12,13,14,16,17,18,19,20,21]"),
                Make.SkeletonText(names: "[\"pelvis\"]"),
            })
            {
                Assert.Throws<WireException>(() => WireFormat.Parse(text), text);
            }
        }

        [Test]
        public void ASkeletonWithMoreJointsIsReadByName()
        {
            // A finger on the left hand comes first, so that every other joint is one place further on.
            string names = "[\"left_index1\",\"" + string.Join("\",\"", SmplJoints.Names) + "\"]";
            string text = Make.SkeletonText("[23,-1,1,1,1,2,3,4,5,6,7,8,9,10,10,10,13,14,15,17,18,19,20,21,22]", names)
                .Replace("\"offsets\":[", "\"offsets\":[[9,9,9],")
                .Replace("\"shape_offsets\":[[", "\"shape_offsets\":[[[8,8],[8,8],[8,8]],[");
            var plain = (SkeletonMessage)WireFormat.Parse(Make.SkeletonText());
            var more = (SkeletonMessage)WireFormat.Parse(text);
            var person = Make.Person(1, Vector3.Zero);
            var expected = new Vector3[24];
            var found = new Vector3[24];
            plain.Skeleton.OffsetsOf(person, expected);
            more.Skeleton.OffsetsOf(person, found);
            Assert.AreEqual(25, more.Joints.Count);
            for (int i = 0; i < 24; i++)
            {
                Assert.AreEqual(expected[i], found[i]);
                Assert.AreEqual(plain.Skeleton.Parents[i], more.Skeleton.Parents[i]);
            }

            string pose = Make.PoseText().Replace("\"rotations\":[", "\"rotations\":[[0,0,0,1],")
                .Replace("\"joint_confidence\":[", "\"joint_confidence\":[0.75,");
            Assert.Throws<WireException>(() => WireFormat.Parse(pose));
            PersonPose read = ((PoseMessage)WireFormat.Parse(pose, more.Joints)).People[0];
            PersonPose asEver = ((PoseMessage)WireFormat.Parse(Make.PoseText())).People[0];
            for (int i = 0; i < 24; i++)
            {
                Assert.AreEqual(asEver.Rotations[i], read.Rotations[i]);
                Assert.AreEqual(0.25, read.JointConfidence[i], 0);
            }
        }

        [Test]
        public void GarbageNeverThrowsAnythingElse()
        {
            var random = new Random(2);
            string[] seeds = { Make.PoseText(), Make.PoseText(parts: Make.PartsText), Make.SkeletonText(), Make.SkeletonWithHandsText(), "status {\"v\":1,\"state\":\"running\"}" };
            const string Spice = "{}[]\",:0123456789.-+eE\\u nulltrefasNI\0\n\u00e9\ud83d";
            int read = 0;
            for (int i = 0; i < 30000; i++)
            {
                var text = new StringBuilder(seeds[random.Next(seeds.Length)]);
                for (int edits = random.Next(4); edits > 0; edits--)
                {
                    int at = random.Next(random.Next(2) == 0 ? Math.Min(60, text.Length) : text.Length);
                    switch (random.Next(4))
                    {
                        case 0: text[at] = Spice[random.Next(Spice.Length)]; break;
                        case 1: text.Insert(at, Spice[random.Next(Spice.Length)]); break;
                        case 2: text.Remove(at, random.Next(1, Math.Min(9, text.Length - at + 1))); break;
                        default: text.Length = at + 1; break;
                    }
                    if (text.Length == 0) text.Append('p');
                }
                try
                {
                    if (WireFormat.Parse(text.ToString()) is PoseMessage pose) CheckFinite(pose);
                    read++;
                }
                catch (WireException)
                {
                }
            }
            Assert.IsTrue(read > 5000 && read < 25000, read + " of 30000 were read: the garbage is not what it should be");
        }

        private static void CheckFinite(PoseMessage pose)
        {
            foreach (PersonPose person in pose.People)
            {
                Assert.IsTrue(person.Trans.Length() < float.PositiveInfinity);
                foreach (Quaternion q in person.Rotations) Assert.AreEqual(1, q.Length(), 1e-5);
                foreach (HandPose hand in person.Hands)
                    for (int i = 0; hand.IsSent && i < hand.Rotations.Length; i++) Assert.AreEqual(1, hand.Rotations[i].Length(), 1e-5);
                foreach (float value in person.Face.BlendShapes) Assert.IsTrue(value >= 0 && value <= 1);
            }
        }
    }
}
