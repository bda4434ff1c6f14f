using NUnit.Framework;
using static TokenMocap.SmplJoints;

namespace TokenMocap.Tests
{
    public sealed class UnseenLimbsTests
    {
        private const float Step = 1f / 60;

        private static PersonPose Seen(params int[] unseen)
        {
            PersonPose person = Make.Person(1, System.Numerics.Vector3.Zero);
            person.JointConfidence = new float[Count];
            for (int i = 0; i < Count; i++) person.JointConfidence[i] = 1;
            foreach (int joint in unseen) person.JointConfidence[joint] = 0.01f;
            return person;
        }

        private static void Run(UnseenLimbs limbs, PersonPose pose, float seconds)
        {
            for (float t = 0; t < seconds - Step / 2; t += Step) limbs.Update(pose, Step);
        }

        [Test]
        public void AnUnseenLegIsLetGoAfterAWhileAndFollowedAgainWhenItIsSeen()
        {
            var limbs = new UnseenLimbs();
            PersonPose hidden = Seen(LeftKnee, LeftAnkle, LeftFoot);
            Run(limbs, hidden, 0.45f);
            Assert.AreEqual(1, limbs.Follow[LeftHip], 1e-6);
            Run(limbs, hidden, 0.5f);
            Assert.IsTrue(limbs.Follow[LeftHip] > 0.3f && limbs.Follow[LeftHip] < 0.8f, "it goes slowly");
            Run(limbs, hidden, 1f);
            for (int joint = 0; joint < Count; joint++)
            {
                bool isLeft = joint == LeftHip || joint == LeftKnee || joint == LeftAnkle || joint == LeftFoot;
                Assert.AreEqual(isLeft ? 0 : 1, limbs.Follow[joint], 1e-6, Names[joint]);
            }
            Run(limbs, Seen(), 0.3f);
            Assert.AreEqual(1, limbs.Follow[LeftAnkle], 1e-6);
        }

        [Test]
        public void ABoneIsSeenByAnyJointBeyondIt()
        {
            var limbs = new UnseenLimbs();
            Run(limbs, Seen(RightElbow, RightHand, LeftAnkle, LeftFoot), 3);
            Assert.AreEqual(1, limbs.Follow[RightShoulder], 1e-6);
            Assert.AreEqual(1, limbs.Follow[RightElbow], 1e-6);
            Assert.AreEqual(0, limbs.Follow[RightWrist], 1e-6);
            Assert.AreEqual(1, limbs.Follow[LeftHip], 1e-6);
            Assert.AreEqual(0, limbs.Follow[LeftKnee], 1e-6);
        }

        [Test]
        public void ASenderThatSaysNothingOfJointsIsFollowed()
        {
            var limbs = new UnseenLimbs();
            Run(limbs, Make.Person(1, System.Numerics.Vector3.Zero), 3);
            for (int joint = 0; joint < Count; joint++) Assert.AreEqual(1, limbs.Follow[joint], 1e-6);
        }
    }
}
