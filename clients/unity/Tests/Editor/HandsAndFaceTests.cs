using System;
using System.Numerics;
using System.Text;
using NUnit.Framework;

namespace TokenMocap.Tests
{
    public sealed class HandsAndFaceTests
    {
        private static PersonPose First(string pose) => ((PoseMessage)WireFormat.Parse(pose)).People[0];

        [Test]
        public void HandsAreReadWhereTheyAreSent()
        {
            PersonPose person = First(Make.PoseText(parts: "\"hands\":{\"right\":" + Make.HandText() + ",\"third\":[1]}"));
            Assert.IsFalse(person.Hands[Fingers.Left].IsSent);
            Assert.IsTrue(person.Hands[Fingers.Right].IsSent);
            Assert.AreEqual(0.75, person.Hands[Fingers.Right].Confidence, 1e-6);
            Quaternion quarter = Quaternion.CreateFromAxisAngle(Vector3.UnitZ, (float)Math.PI / 2);
            Assert.AreEqual(1, Math.Abs(Quaternion.Dot(quarter, person.Hands[Fingers.Right].Rotations[14])), 1e-6);
            Assert.IsFalse(First(Make.PoseText()).Hands[Fingers.Right].IsSent);
        }

        [Test]
        public void AFaceIsReadByNames()
        {
            PersonPose person = First(Make.PoseText(parts: 
                "\"face\":{\"confidence\":0.5,\"blendshapes\":{\"jawOpen\":0.25,\"later\":1,\"tongueOut\":1.5},\"gaze\":[0.5,-0.25]}"));
            Assert.IsTrue(person.Face.IsSent);
            Assert.AreEqual(0.25, person.Face.BlendShapes[Expressions.IndexOf("jawOpen")], 1e-6);
            Assert.AreEqual(1, person.Face.BlendShapes[Expressions.IndexOf("tongueOut")], 1e-6);
            Assert.AreEqual(0, person.Face.BlendShapes[Expressions.IndexOf("cheekPuff")], 0);
            // By hand: half a radian to the left (+X), a quarter down.
            Vector3 look = Vector3.Transform(Vector3.UnitZ, person.Face.Gaze);
            Assert.AreEqual(Math.Sin(0.5) * Math.Cos(0.25), look.X, 1e-5);
            Assert.AreEqual(-Math.Sin(0.25), look.Y, 1e-5);
            Assert.IsFalse(First(Make.PoseText()).Face.IsSent);
        }

        [Test]
        public void ASkeletonsFingersAreReadByName()
        {
            var skeleton = ((SkeletonMessage)WireFormat.Parse(Make.SkeletonWithHandsText())).Skeleton;
            Assert.AreEqual(new Vector3(1, 7, 1), skeleton.FingerOffsets[Fingers.Right][7]);
            Assert.IsNull(((SkeletonMessage)WireFormat.Parse(Make.SkeletonText())).Skeleton.FingerOffsets);
            string swapped = Make.SkeletonWithHandsText().Replace("\"left_thumb1\"", "\"x\"").Replace("\"right_thumb1\"", "\"left_thumb1\"");
            foreach (string broken in new[]
            {
                swapped, Make.SkeletonWithHandsText().Replace("\"left_index2\"", "\"left_index9\""), Make.SkeletonWithHandsText().Replace("[0,0,1],", ""),
                Make.SkeletonWithHandsText().Replace("\"hand_parents\":[20,24", "\"hand_parents\":[20,20"),
                Make.SkeletonWithHandsText().Replace("\"hand_parents\"", "\"parents_of_hands\""),
            })
            {
                Assert.Throws<WireException>(() => WireFormat.Parse(broken), broken);
            }
        }

        [Test]
        public void BrokenPartsAreRefused()
        {
            foreach (string parts in new[]
            {
                "\"hands\":[]", "\"hands\":{\"left\":3}", "\"hands\":{\"left\":{}}", "\"hands\":{\"left\":" + Make.HandText(14) + "}",
                "\"hands\":{\"left\":" + Make.HandText().Replace(Make.Half, "0") + "}", "\"face\":1", "\"face\":{\"gaze\":[0]}",
                "\"face\":{\"blendshapes\":{\"jawOpen\":\"wide\"}}", "\"face\":{\"blendshapes\":{\"jawOpen\":1e300}}",
            })
            {
                Assert.Throws<WireException>(() => WireFormat.Parse(Make.PoseText(parts: parts)), parts);
            }
        }

        [Test]
        public void BetweenTwoMomentsPartsAreBetween()
        {
            PersonPose a = Make.Person(1, Vector3.Zero), b = Make.Person(1, Vector3.Zero), between = new PersonPose();
            foreach (PersonPose person in new[] { a, b })
            {
                person.Hands[0].IsSent = person.Face.IsSent = true;
                person.Hands[0].Rotations[3] = Quaternion.Identity;
            }
            b.Hands[0].Rotations[3] = Quaternion.CreateFromAxisAngle(Vector3.UnitX, 1);
            b.Face.BlendShapes[4] = 1;
            b.Face.Yaw = 0.4f;
            between.SetBetween(a, b, 0.25f);
            Quaternion quarter = Quaternion.CreateFromAxisAngle(Vector3.UnitX, 0.25f);
            Assert.AreEqual(1, Math.Abs(Quaternion.Dot(quarter, between.Hands[0].Rotations[3])), 1e-6);
            Assert.AreEqual(0.25, between.Face.BlendShapes[4], 1e-6);
            Assert.AreEqual(0.1, between.Face.Yaw, 1e-6);
            Assert.IsFalse(between.Hands[1].IsSent);
            a.Hands[0].IsSent = a.Face.IsSent = false;
            between.SetBetween(a, b, 0.25f);
            Assert.IsFalse(between.Hands[0].IsSent || between.Face.IsSent);
            between.SetBetween(a, b, 0.75f);
            Assert.AreEqual(1, between.Face.BlendShapes[4], 1e-6);
        }

        [Test]
        public void BlendShapesAreFoundByTheUsualSpellings()
        {
            string[] names = { "eyeBlinkLeft", "EyeBlink_L", "blendShape1.eyeBlinkLeft", "eyeBlink.L", "Head:eyeBlink_left" };
            foreach (string name in names) Assert.AreEqual(Expressions.IndexOf("eyeBlinkLeft"), Expressions.Find(name), name);
            Assert.AreEqual(Expressions.IndexOf("browInnerUp"), Expressions.Find("browInnerUp_R"));
            Assert.AreEqual(Expressions.IndexOf("mouthLeft"), Expressions.Find("mouth_L"));
            foreach (string name in new[] { "", "Basis", "L", ".R", "smile", "Left", "eyeBlinkLeftish" })
                Assert.AreEqual(-1, Expressions.Find(name), name);
            for (int i = 0; i < Expressions.Names.Length; i++) Assert.AreEqual(i, Expressions.Find(Expressions.Names[i]));
        }

        [Test]
        public void RelaxedFingersWithATurnedPalmPointAsOurs()
        {
            var random = new Random(9);
            var ours = new[] { new Vector3[Fingers.Count], new Vector3[Fingers.Count] };
            var rest = new HandRest();
            Quaternion palm = Make.Rotation(random); // the avatar's hand is turned any way in its T-pose
            var hand = new HandPose { IsSent = true };
            for (int joint = 0; joint < Fingers.Count; joint++)
            {
                int above = Fingers.Parent(joint);
                ours[1][joint] = above < 0 ? new Vector3(-0.09f, 0, 0.03f - 0.01f * joint / 3) : new Vector3(-0.03f, 0, 0);
                Vector3 bent = Handedness.Convert(ours[1][joint]) + (above < 0 ? Vector3.Zero : Make.Vector(random) * 0.008f);
                rest.Set(joint, (above < 0 ? Vector3.Zero : rest.Positions[above]) + Vector3.Transform(bent, palm), Make.Rotation(random));
                hand.Rotations[joint] = Make.Rotation(random);
            }
            var skeleton = new Skeleton(new int[SmplJoints.Count], new Vector3[SmplJoints.Count], fingerOffsets: ours);
            var fit = new HandFit(rest, Fingers.Right);
            Quaternion correction = fit.PalmCorrection(skeleton, Vector3.Zero, Quaternion.Identity);
            Assert.AreEqual(1, Math.Abs(Quaternion.Dot(correction, Quaternion.Inverse(palm))), 1e-5);
            Quaternion wrist = Make.Rotation(random);
            fit.Update(skeleton, hand, wrist, correction);
            for (int joint = 0; joint < Fingers.Count; joint++)
            {
                if (joint % 3 == 2) continue;
                Quaternion world = wrist;
                for (int i = joint - joint % 3; i <= joint; i++) world *= hand.Rotations[i];
                Vector3 captured = Handedness.Convert(Vector3.Transform(ours[1][joint + 1], world));
                Vector3 bone = Vector3.Transform(rest.Positions[joint + 1] - rest.Positions[joint], Quaternion.Inverse(rest.Rotations[joint]));
                Vector3 shown = Vector3.Transform(bone, fit.Rotations[joint]);
                Assert.AreEqual(0, Vector3.Distance(Vector3.Normalize(shown), Vector3.Normalize(captured)), 1e-4, Fingers.Name(1, joint));
            }
        }

        [Test]
        public void AHandThatNobodySeesIsLetGo()
        {
            var limbs = new UnseenLimbs();
            PersonPose person = Make.Person(1, Vector3.Zero);
            person.Hands[0].IsSent = person.Hands[1].IsSent = person.Face.IsSent = true;
            person.Hands[1].Confidence = person.Face.Confidence = 1;
            for (int i = 0; i < 120; i++) limbs.Update(person, 1f / 60);
            Assert.AreEqual(0, limbs.Follow[UnseenLimbs.LeftFingers], 1e-6);
            Assert.AreEqual(1, limbs.Follow[UnseenLimbs.RightFingers], 1e-6);
            Assert.AreEqual(1, limbs.Follow[UnseenLimbs.Face], 1e-6);
        }
    }
}
