namespace TokenMocap
{
    /// <summary>Whom to follow: one person by id, or whoever was there first for as long as they are seen.</summary>
    public sealed class PersonChoice
    {
        public const int Anybody = -1;

        private int? _followed;

        /// <summary>The id to follow, or null where nobody fits.</summary>
        public int? Choose(PoseMessage newest, int wanted)
        {
            if (newest == null) return null;
            if (wanted != Anybody) return newest.Person(wanted) == null ? (int?)null : wanted;
            if (_followed == null || newest.Person(_followed.Value) == null)
                _followed = newest.People.Length == 0 ? (int?)null : newest.People[0].Id;
            return _followed;
        }
    }
}
