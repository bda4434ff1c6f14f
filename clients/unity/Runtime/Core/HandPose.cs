using System.Numerics;

namespace TokenMocap
{
    /// <summary>The fingers of one hand at one moment.</summary>
    public sealed class HandPose
    {
        /// <summary>False where the sender does not look for hands; nothing else means anything then.</summary>
        public bool IsSent;
        /// <summary>0..1. At 0 the hand is not seen, and eases to a relaxed one.</summary>
        public float Confidence;
        /// <summary>In the order of `Fingers`: unit quaternions, child to parent; an open, straight hand is the identity.</summary>
        public readonly Quaternion[] Rotations = new Quaternion[Fingers.Count];

        /// <summary>Becomes the moment between two; copies the nearer one where the other has no hand.</summary>
        public void SetBetween(HandPose a, HandPose b, float amount)
        {
            HandPose nearer = amount < 0.5f ? a : b;
            IsSent = nearer.IsSent;
            Confidence = nearer.Confidence;
            bool both = a.IsSent && b.IsSent;
            for (int i = 0; i < Rotations.Length; i++)
                Rotations[i] = both ? Quaternion.Slerp(a.Rotations[i], b.Rotations[i], amount) : nearer.Rotations[i];
        }
    }

    /// <summary>Expression and gaze of one face at one moment.</summary>
    public sealed class FacePose
    {
        /// <summary>False where the sender does not look for faces; nothing else means anything then.</summary>
        public bool IsSent;
        /// <summary>0..1. At 0 the face is not seen, and eases to a neutral one.</summary>
        public float Confidence;
        /// <summary>In the order of `Expressions`, 0..1.</summary>
        public readonly float[] BlendShapes = new float[Expressions.Names.Length];
        /// <summary>Radians to the person's left, relative to the head.</summary>
        public float Yaw;
        /// <summary>Radians up, relative to the head.</summary>
        public float Pitch;

        /// <summary>The eyes' rotation in the head, in the sender's frame.</summary>
        public Quaternion Gaze =>
            Quaternion.CreateFromAxisAngle(Vector3.UnitY, Yaw) * Quaternion.CreateFromAxisAngle(Vector3.UnitX, -Pitch);

        /// <summary>Becomes the moment between two; copies the nearer one where the other has no face.</summary>
        public void SetBetween(FacePose a, FacePose b, float amount)
        {
            FacePose nearer = amount < 0.5f ? a : b;
            IsSent = nearer.IsSent;
            Confidence = nearer.Confidence;
            if (!a.IsSent || !b.IsSent) a = b = nearer;
            Yaw = a.Yaw + amount * (b.Yaw - a.Yaw);
            Pitch = a.Pitch + amount * (b.Pitch - a.Pitch);
            for (int i = 0; i < BlendShapes.Length; i++)
                BlendShapes[i] = a.BlendShapes[i] + amount * (b.BlendShapes[i] - a.BlendShapes[i]);
        }
    }
}
