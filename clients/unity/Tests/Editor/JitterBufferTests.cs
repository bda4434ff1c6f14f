using System;
using System.Numerics;
using NUnit.Framework;

namespace TokenMocap.Tests
{
    public sealed class JitterBufferTests
    {
        private const double SenderAhead = 1.7e9; // seconds that the sender's clock shows more than ours

        private static PersonPose At(double x) => Make.Person(1, new Vector3((float)x, 0, 0));

        [Test]
        public void UnevenArrivalsPlayEvenly()
        {
            var random = new Random(5);
            var buffer = new JitterBuffer { Delay = 0.08 };
            var pose = new PersonPose();
            double arrived = 0, sampled = 0;
            int samples = 0;
            for (int seq = 0; seq < 300; seq++)
            {
                double captured = seq / 30.0; // the person moves a metre a second
                double arrival = captured + 0.05 + (seq % 10 == 0 ? 0 : 0.04 * random.NextDouble());
                arrived = Math.Max(arrived, arrival);
                for (; sampled < arrived; sampled += 1 / 72.0)
                {
                    if (sampled < 0.5) continue;
                    Assert.IsTrue(buffer.Sample(1, sampled, pose));
                    Assert.AreEqual(sampled - 0.05 - 0.08, pose.Trans.X, 0.002, "at " + sampled);
                    samples++;
                }
                buffer.Add(Make.Pose(seq, captured + SenderAhead, At(captured)), arrived);
            }
            Assert.IsTrue(samples > 600);
        }

        [Test]
        public void WithoutDelayTheNewestShows()
        {
            var buffer = new JitterBuffer { Delay = 0 };
            var pose = new PersonPose();
            Assert.IsFalse(buffer.Sample(1, 0, pose));
            buffer.Add(Make.Pose(0, 10, At(3)), 0);
            buffer.Add(Make.Pose(1, 10.1, At(4)), 0.1);
            Assert.IsTrue(buffer.Sample(1, 0.1, pose));
            Assert.AreEqual(4, pose.Trans.X, 0);
            Assert.IsFalse(buffer.Sample(2, 0.1, pose));
        }

        [Test]
        public void RotationsGoTheShortWayBetween()
        {
            var a = At(0);
            var b = At(0);
            Quaternion turn = Quaternion.CreateFromAxisAngle(Vector3.UnitZ, 1f);
            b.Rotations[4] = new Quaternion(-turn.X, -turn.Y, -turn.Z, -turn.W);
            var pose = new PersonPose();
            pose.SetBetween(a, b, 0.25f);
            Quaternion quarter = Quaternion.CreateFromAxisAngle(Vector3.UnitZ, 0.25f);
            Assert.AreEqual(1, Math.Abs(Quaternion.Dot(quarter, pose.Rotations[4])), 1e-6);
        }

        [Test]
        public void AGapIsNotBridged()
        {
            var buffer = new JitterBuffer { Delay = 0.5 };
            buffer.Add(Make.Pose(0, 0, At(0)), 0);
            buffer.Add(Make.Pose(1, 0.4, At(9)), 0.4);
            var pose = new PersonPose();
            Assert.IsTrue(buffer.Sample(1, 0.8, pose));
            Assert.AreEqual(0, pose.Trans.X, 0);
            Assert.IsTrue(buffer.Sample(1, 0.95, pose));
            Assert.AreEqual(9, pose.Trans.X, 0);
        }

        [Test]
        public void WhoLeavesIsNotSeenAndTheLastPoseHolds()
        {
            var buffer = new JitterBuffer { Delay = 0.1 };
            buffer.Add(Make.Pose(0, 0, At(1)), 0);
            var pose = new PersonPose();
            Assert.IsFalse(buffer.Sample(1, 0.05, pose), "before their time");
            Assert.IsTrue(buffer.Sample(1, 5, pose), "nothing newer came");
            buffer.Add(Make.Pose(1, 0.1), 0.1);
            Assert.IsTrue(buffer.Sample(1, 0.15, pose));
            Assert.IsFalse(buffer.Sample(1, 0.25, pose));
        }

        [Test]
        public void ASenderThatStartsAgainIsFollowedAtOnce()
        {
            foreach (double restartedClock in new[] { 50.0, 100000.0 })
            {
                var buffer = new JitterBuffer { Delay = 0.05 };
                for (int seq = 0; seq < 100; seq++) buffer.Add(Make.Pose(seq, 1000 + seq / 30.0, At(0)), seq / 30.0);
                buffer.Add(Make.Pose(0, restartedClock, At(7)), 20);
                buffer.Add(Make.Pose(1, restartedClock + 0.03, At(8)), 20.03);
                var pose = new PersonPose();
                Assert.IsTrue(buffer.Sample(1, 20.065, pose));
                Assert.AreEqual(7.5, pose.Trans.X, 0.01);
            }
        }

        [Test]
        public void AClockThatRunsFastIsFollowed()
        {
            var buffer = new JitterBuffer { Delay = 0.05 };
            var pose = new PersonPose();
            const double Rate = 0.9998; // the sender's seconds in one of ours: 0.12 s in ten minutes
            double now = 0;
            for (int seq = 0; seq < 18000; seq++)
            {
                now = seq / 30.0;
                buffer.Add(Make.Pose(seq, now * Rate, At(now)), now);
            }
            Assert.IsTrue(buffer.Sample(1, now, pose));
            Assert.AreEqual(now - 0.05, pose.Trans.X, 0.002);
        }

        [Test]
        public void AFollowedPersonIsKeptUntilTheyLeave()
        {
            var choice = new PersonChoice();
            PersonPose one = Make.Person(1, Vector3.Zero), two = Make.Person(2, Vector3.Zero);
            Assert.IsNull(choice.Choose(null, PersonChoice.Anybody));
            Assert.AreEqual(2, choice.Choose(Make.Pose(0, 0, two), PersonChoice.Anybody));
            Assert.AreEqual(2, choice.Choose(Make.Pose(1, 1, one, two), PersonChoice.Anybody));
            Assert.AreEqual(1, choice.Choose(Make.Pose(2, 2, one), PersonChoice.Anybody));
            Assert.AreEqual(1, choice.Choose(Make.Pose(3, 3, one, two), 1));
            Assert.IsNull(choice.Choose(Make.Pose(4, 4, one, two), 3));
        }
    }
}
