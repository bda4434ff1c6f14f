using System.Numerics;

namespace TokenMocap
{
    /// <summary>One message of the wire format, version 1. Lengths in metres, times in Unix seconds of the sender.</summary>
    public abstract class WireMessage { }

    /// <summary>Comes every second: what the joints' rotations turn.</summary>
    public sealed class SkeletonMessage : WireMessage
    {
        public Skeleton Skeleton;
        /// <summary>To parse the stream's pose messages by.</summary>
        public StreamJoints Joints;
        public string BodyName;
    }

    /// <summary>Comes with every solved frame: everybody who is seen.</summary>
    public sealed class PoseMessage : WireMessage
    {
        public long Seq;
        public double CaptureTime;
        public double PublishTime;
        public double Fps;
        public PersonPose[] People;

        /// <summary>The person, or null where they are not seen.</summary>
        public PersonPose Person(int id)
        {
            foreach (PersonPose person in People)
                if (person.Id == id) return person;
            return null;
        }
    }

    /// <summary>Comes with a change.</summary>
    public sealed class StatusMessage : WireMessage
    {
        /// <summary>running, lost, reconnecting or ended; a later sender may know more.</summary>
        public string State = "";
        public string Source = "";
        public string Estimator = "";
        public string Backend = "";
        public long Dropped;
        public string Message = "";
    }

    /// <summary>
    /// A person at one moment, in the sender's world: right-handed, Y up, facing +Z at identity with +X to their left.
    /// </summary>
    public sealed class PersonPose
    {
        public int Id;
        public float Confidence;
        /// <summary>False while the sender holds a pose through a short loss.</summary>
        public bool Valid;
        /// <summary>The pelvis joint.</summary>
        public Vector3 Trans;
        /// <summary>Unit quaternions, child to parent; the root's into the world.</summary>
        public readonly Quaternion[] Rotations = new Quaternion[SmplJoints.Count];
        /// <summary>How far each joint is seen, 0..1; null where the sender does not say.</summary>
        public float[] JointConfidence;
        /// <summary>The body's shape; may be empty.</summary>
        public float[] Betas = new float[0];
        /// <summary>The person's size to that of the skeleton's offsets.</summary>
        public float Scale = 1;
        /// <summary>By `Fingers.Left` and `Fingers.Right`.</summary>
        public readonly HandPose[] Hands = { new HandPose(), new HandPose() };
        public readonly FacePose Face = new FacePose();

        /// <summary>Becomes the moment between two: 0 is `a`, 1 is `b`. Rotations are copies.</summary>
        public void SetBetween(PersonPose a, PersonPose b, float amount)
        {
            PersonPose nearer = amount < 0.5f ? a : b;
            Id = nearer.Id;
            Confidence = nearer.Confidence;
            Valid = nearer.Valid;
            JointConfidence = nearer.JointConfidence;
            Betas = nearer.Betas;
            Scale = a.Scale + amount * (b.Scale - a.Scale);
            Trans = Vector3.Lerp(a.Trans, b.Trans, amount);
            for (int i = 0; i < Rotations.Length; i++)
                Rotations[i] = Quaternion.Slerp(a.Rotations[i], b.Rotations[i], amount);
            for (int side = 0; side < Hands.Length; side++) Hands[side].SetBetween(a.Hands[side], b.Hands[side], amount);
            Face.SetBetween(a.Face, b.Face, amount);
        }
    }
}
