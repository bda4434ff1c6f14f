using System;
using System.Numerics;

namespace TokenMocap
{
    /// <summary>
    /// Plays poses at the pace at which they were captured, a little late, whatever the pace at which they arrived.
    /// </summary>
    /// <remarks>
    /// The sender's clock is placed on ours by its fastest message: nothing arrives before it was captured, and the one
    /// with the least way behind it tells most. That estimate may grow by a thousandth, so that it follows clocks that
    /// drift. A pose is shown `Delay` after that, which is what the slower messages may be slower by.
    /// </remarks>
    public sealed class JitterBuffer
    {
        private const int Capacity = 64;
        private const double Drift = 0.001;
        private const double LostAfter = 1.0; // seconds; later than this is another clock, not a slow message
        private const double LongestGap = 0.3; // seconds; over a longer one nobody knows what happened

        private readonly PoseMessage[] _messages = new PoseMessage[Capacity]; // a ring, in order of capture
        private int _first;
        private int _count;
        private double _offset; // our time less the sender's
        private double _offsetAt;

        /// <summary>Seconds; 0 shows the newest pose.</summary>
        public double Delay { get; set; } = 0.05;

        /// <summary>What was received last, or null.</summary>
        public PoseMessage Newest => _count == 0 ? null : At(_count - 1);

        public void Clear() => _count = 0;

        /// <summary>Takes a message in; `receivedAt` in seconds on any clock that `Sample` uses too.</summary>
        public void Add(PoseMessage message, double receivedAt)
        {
            double offset = receivedAt - message.CaptureTime;
            bool isAnotherSession = _count > 0 &&
                (message.Seq <= Newest.Seq || message.CaptureTime <= Newest.CaptureTime || Math.Abs(offset - _offset) > LostAfter);
            if (isAnotherSession) Clear();
            double drifted = _offset + Drift * Math.Max(0, receivedAt - _offsetAt);
            _offset = _count == 0 ? offset : Math.Min(offset, drifted);
            _offsetAt = receivedAt;
            if (_count == Capacity)
            {
                _first = (_first + 1) % Capacity;
                _count--;
            }
            _messages[(_first + _count++) % Capacity] = message;
        }

        /// <summary>Writes where a person is now into `pose`; false, and nothing written, where they are not seen.</summary>
        public bool Sample(int id, double now, PersonPose pose)
        {
            if (_count == 0) return false;
            if (Delay <= 0) return Copy(Newest.Person(id), pose);
            double time = now - _offset - Delay;
            int next = 0;
            while (next < _count && At(next).CaptureTime <= time) next++;
            if (next == 0) return false;
            PoseMessage before = At(next - 1);
            PersonPose from = before.Person(id);
            if (from == null || next == _count) return Copy(from, pose);
            PoseMessage after = At(next);
            PersonPose to = after.Person(id);
            double gap = after.CaptureTime - before.CaptureTime;
            if (to == null || gap > LongestGap) return Copy(from, pose);
            pose.SetBetween(from, to, (float)((time - before.CaptureTime) / gap));
            return true;
        }

        private static bool Copy(PersonPose person, PersonPose pose)
        {
            if (person == null) return false;
            pose.SetBetween(person, person, 0);
            return true;
        }

        private PoseMessage At(int index) => _messages[(_first + index) % Capacity];
    }
}
