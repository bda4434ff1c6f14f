using System;
using System.Numerics;
using NUnit.Framework;
using static TokenMocap.SmplJoints;

namespace TokenMocap.Tests
{
    public sealed class AvatarFitTests
    {
        private static readonly int[] Parents = { -1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21 };
        private static readonly int[][] Limbs =
        {
            new[] { LeftHip, LeftKnee }, new[] { LeftKnee, LeftAnkle }, new[] { RightHip, RightKnee }, new[] { RightKnee, RightAnkle },
            new[] { LeftShoulder, LeftElbow }, new[] { LeftElbow, LeftWrist }, new[] { RightShoulder, RightElbow }, new[] { RightElbow, RightWrist },
        };

        private readonly Random _random = new Random(6);
        private readonly Vector3[] _offsets = new Vector3[Count];
        private readonly Skeleton _skeleton;
        private readonly PersonPose _pose = new PersonPose { Trans = new Vector3(0.4f, 0.9f, -1) };

        public AvatarFitTests()
        {
            for (int i = 0; i < Count; i++) _offsets[i] = Make.Vector(_random) * 0.3f;
            _skeleton = new Skeleton(Parents, _offsets);
            for (int i = 0; i < Count; i++) _pose.Rotations[i] = Make.Rotation(_random);
        }

        /// <summary>An avatar whose limbs are of other lengths and directions, and whose bones have axes of their own.</summary>
        private AvatarRest Avatar(float scale, float noise, params int[] without)
        {
            var rest = new AvatarRest();
            var positions = new Vector3[Count];
            for (int i = 0; i < Count; i++)
            {
                Vector3 offset = Handedness.Convert(_offsets[i]) * scale + Make.Vector(_random) * noise;
                positions[i] = i == 0 ? new Vector3(0, 1, 0) : positions[Parents[i]] + offset;
                if (i < LeftHand && Array.IndexOf(without, i) < 0) rest.Set(i, positions[i], Make.Rotation(_random));
            }
            return rest;
        }

        private Vector3[] Joints()
        {
            var rotations = new Quaternion[Count];
            var joints = new Vector3[Count];
            _skeleton.WorldRotations(_pose, rotations);
            _skeleton.JointPositions(_pose, rotations, _offsets, joints);
            return joints;
        }

        [Test]
        public void ForwardKinematicsTurnsAnElbow()
        {
            // By hand: the left elbow bends a quarter turn forward (about -Y, +X to +Z), so the forearm points ahead.
            PersonPose pose = Make.Person(1, new Vector3(0, 1, 0));
            pose.Rotations[LeftElbow] = Quaternion.CreateFromAxisAngle(-Vector3.UnitY, (float)Math.PI / 2);
            var offsets = new Vector3[Count];
            for (int i = 0; i < Count; i++) offsets[i] = Vector3.Zero;
            offsets[LeftElbow] = offsets[LeftWrist] = new Vector3(0.25f, 0, 0);
            var skeleton = new Skeleton(Parents, offsets);
            var rotations = new Quaternion[Count];
            var joints = new Vector3[Count];
            skeleton.WorldRotations(pose, rotations);
            skeleton.JointPositions(pose, rotations, offsets, joints);
            Assert.AreEqual(0, Vector3.Distance(joints[LeftElbow], new Vector3(0.25f, 1, 0)), 1e-6);
            Assert.AreEqual(0, Vector3.Distance(joints[LeftHand], new Vector3(0.25f, 1, 0.25f)), 1e-6);
        }

        [Test]
        public void LimbsPointWhereTheCapturedOnesDo()
        {
            AvatarRest rest = Avatar(1.4f, 0.05f);
            var fit = new AvatarFit(rest);
            fit.Update(_skeleton, _pose);
            Vector3[] joints = Joints();
            foreach (int[] limb in Limbs)
            {
                Vector3 bone = Vector3.Transform(rest.Positions[limb[1]] - rest.Positions[limb[0]], Quaternion.Inverse(rest.Rotations[limb[0]]));
                Vector3 shown = Vector3.Normalize(Vector3.Transform(bone, fit.Rotations[limb[0]]));
                Vector3 captured = Vector3.Normalize(Handedness.Convert(joints[limb[1]] - joints[limb[0]]));
                Assert.AreEqual(0, Vector3.Distance(shown, captured), 1e-5, Names[limb[0]]);
            }
        }

        [Test]
        public void OurRestPoseLeavesTheTorsoAndFeetInTheTPose()
        {
            AvatarRest rest = Avatar(0.7f, 0.05f);
            var fit = new AvatarFit(rest);
            fit.Update(_skeleton, Make.Person(1, Vector3.Zero));
            foreach (int joint in new[] { Pelvis, Spine1, Spine2, Spine3, Neck, Head, LeftCollar, RightCollar, LeftAnkle, RightAnkle, LeftFoot })
                Assert.AreEqual(1, Math.Abs(Quaternion.Dot(fit.Rotations[joint], rest.Rotations[joint])), 1e-5, Names[joint]);
        }

        [Test]
        public void AScaledTwinStandsWhereWeStandScaled()
        {
            AvatarRest rest = Avatar(2, 0);
            var fit = new AvatarFit(rest);
            fit.Update(_skeleton, _pose);
            Assert.AreEqual(2, fit.Scale, 1e-5);
            Vector3 expected = Handedness.Convert(_pose.Trans) * 2;
            float lift = (rest.Positions[LeftAnkle].Y + rest.Positions[RightAnkle].Y) / 2 - 2 * 0.075f; // its ankles over its soles
            Assert.AreEqual(0, Vector3.Distance(fit.HipsPosition, expected + new Vector3(0, lift, 0)), 1e-4);
        }

        [Test]
        public void FewerTorsoBonesStillCarryTheArms()
        {
            foreach (int[] without in new[] { new[] { Spine3 }, new[] { Spine3, Spine2 } })
            {
                AvatarRest rest = Avatar(1, 0, without);
                int last = rest.Has[Spine2] ? Spine2 : Spine1;
                var fit = new AvatarFit(rest);
                fit.Update(_skeleton, _pose);
                var world = new Quaternion[Count];
                _skeleton.WorldRotations(_pose, world);
                Quaternion expected = Handedness.Convert(world[Spine3]) * rest.Rotations[last];
                Assert.AreEqual(1, Math.Abs(Quaternion.Dot(expected, fit.Rotations[last])), 1e-5);
            }
        }

        [Test]
        public void TheSmallestRotationBetweenTwoDirections()
        {
            for (int i = 0; i < 1000; i++)
            {
                Vector3 a = Make.Vector(_random), b = i % 10 == 0 ? -a : Make.Vector(_random);
                Vector3 turned = Vector3.Transform(Vector3.Normalize(a), AvatarFit.Between(a, b));
                Assert.AreEqual(0, Vector3.Distance(turned, Vector3.Normalize(b)), 1e-3);
            }
        }
    }
}
