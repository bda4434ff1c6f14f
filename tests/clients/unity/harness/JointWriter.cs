using System.Collections.Generic;
using System.IO;
using System.Numerics;
using System.Threading;
using TokenMocap;

/// <summary>
/// JointWriter ADDRESS OUT: follows a stream until its status is "ended" and writes where the joints are: a line a
/// person and frame of seq, id and 72 coordinates, by the package's own forward kinematics, in the sender's frame.
/// </summary>
internal static class JointWriter
{
    private static int Main(string[] arguments)
    {
        Setting.GiveUpLater();
        var rotations = new Quaternion[SmplJoints.Count];
        var offsets = new Vector3[SmplJoints.Count];
        var joints = new Vector3[SmplJoints.Count];
        Skeleton skeleton = null;
        using (var receiver = new Receiver(arguments[0]))
        using (var output = new StreamWriter(arguments[1]))
        {
            string problem = null;
            bool isReady = false;
            while (true)
            {
                if (receiver.Problem != problem)
                {
                    problem = receiver.Problem;
                    if (problem != null) Setting.Say("problem " + problem);
                }
                if (!receiver.TryTake(out Arrival arrival))
                {
                    Thread.Sleep(1);
                    continue;
                }
                if (arrival.Message is SkeletonMessage told)
                {
                    skeleton = told.Skeleton;
                    if (!isReady) Setting.Say("ready");
                    isReady = true;
                }
                if (arrival.Message is StatusMessage status && status.State == "ended") return 0;
                if (!(arrival.Message is PoseMessage pose) || skeleton == null) continue;
                foreach (PersonPose person in pose.People)
                {
                    skeleton.OffsetsOf(person, offsets);
                    skeleton.WorldRotations(person, rotations);
                    skeleton.JointPositions(person, rotations, offsets, joints);
                    Setting.Write(output, Line(pose.Seq, person.Id, joints));
                }
            }
        }
    }

    private static object[] Line(long seq, int id, Vector3[] joints)
    {
        var line = new List<object> { seq, id };
        foreach (Vector3 joint in joints) line.AddRange(new object[] { joint.X, joint.Y, joint.Z });
        return line.ToArray();
    }
}
