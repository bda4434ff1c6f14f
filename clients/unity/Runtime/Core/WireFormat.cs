using System;
using System.Collections.Generic;
using System.Numerics;
using static TokenMocap.WireValues;

namespace TokenMocap
{
    /// <summary>A message that does not follow the wire format, or one of a version that this receiver does not know.</summary>
    public sealed class WireException : Exception
    {
        public WireException(string message) : base(message) { }
    }

    /// <summary>Turns a message's text, a topic word, a space and JSON, into a WireMessage.</summary>
    public static class WireFormat
    {
        public const int Version = 1;
        private const int MostPeople = 256;

        /// <summary>The message, or null for a topic that is not known. Throws WireException, and nothing else.</summary>
        /// <param name="joints">Those of the newest skeleton message; null before there is one.</param>
        public static WireMessage Parse(string text, StreamJoints joints = null)
        {
            int space = text.IndexOf(' ');
            if (space <= 0) throw new WireException("a message without a topic: is the sender tokenmocap?");
            string topic = text.Substring(0, space);
            try
            {
                switch (topic)
                {
                    case "pose": return ReadPose(Body(text, space + 1), joints ?? StreamJoints.Smpl);
                    case "skeleton": return ReadSkeleton(Body(text, space + 1));
                    case "status": return ReadStatus(Body(text, space + 1));
                    default: return null;
                }
            }
            catch (JsonException error)
            {
                throw new WireException("a broken " + topic + " message: " + error.Message);
            }
        }

        private static JsonReader Body(string text, int start)
        {
            var reader = new JsonReader(text, start);
            reader.BeginObject();
            while (reader.NextKey(out string key))
            {
                if (key != "v")
                {
                    reader.Skip();
                    continue;
                }
                double version = reader.Number();
                if (version != Version)
                    throw new WireException("the sender speaks version " + version.ToString(System.Globalization.CultureInfo.InvariantCulture) +
                        " of the wire format and this receiver version " + Version +
                        "; update the older of the two");
                reader = new JsonReader(text, start);
                reader.BeginObject();
                return reader;
            }
            throw new WireException("a message without a version");
        }

        private static PoseMessage ReadPose(JsonReader reader, StreamJoints joints)
        {
            var message = new PoseMessage();
            bool hasTime = false;
            while (reader.NextKey(out string key))
            {
                switch (key)
                {
                    case "seq": message.Seq = ReadInteger(reader, key); break;
                    case "t_capture": message.CaptureTime = ReadFinite(reader, key); hasTime = true; break;
                    case "t_publish": message.PublishTime = ReadFinite(reader, key); break;
                    case "fps": message.Fps = ReadFinite(reader, key); break;
                    case "people": message.People = ReadPeople(reader, joints); break;
                    default: reader.Skip(); break;
                }
            }
            reader.End();
            if (!hasTime || message.People == null) throw new WireException("a pose message without t_capture or people");
            return message;
        }

        private static PersonPose[] ReadPeople(JsonReader reader, StreamJoints joints)
        {
            var people = new List<PersonPose>();
            reader.BeginArray();
            while (reader.NextItem())
            {
                if (people.Count == MostPeople) throw new WireException("more than " + MostPeople + " people");
                people.Add(ReadPerson(reader, joints));
            }
            return people.ToArray();
        }

        private static PersonPose ReadPerson(JsonReader reader, StreamJoints joints)
        {
            var person = new PersonPose();
            bool hasId = false, hasTrans = false, hasRotations = false;
            reader.BeginObject();
            while (reader.NextKey(out string key))
            {
                switch (key)
                {
                    case "id":
                        long id = ReadInteger(reader, key);
                        if (id != (int)id) throw new WireException("id is out of range");
                        person.Id = (int)id;
                        hasId = true;
                        break;
                    case "confidence": person.Confidence = ReadSingle(reader, key); break;
                    case "valid": person.Valid = reader.Boolean(); break;
                    case "trans": person.Trans = ReadVector(reader, key); hasTrans = true; break;
                    case "rotations":
                        joints.Select(ReadItems(reader, key, ReadRotation), key).CopyTo(person.Rotations, 0);
                        hasRotations = true;
                        break;
                    case "hands": HandsAndFace.ReadHands(reader, person.Hands); break;
                    case "face": HandsAndFace.ReadFace(reader, person.Face); break;
                    case "joint_confidence":
                        person.JointConfidence = joints.Select(ReadItems(reader, key, ReadSingle), key);
                        break;
                    case "betas": person.Betas = ReadSingles(reader, key); break;
                    case "scale":
                        person.Scale = ReadSingle(reader, key);
                        if (!(person.Scale > 0)) throw new WireException("scale is not above 0");
                        break;
                    default: reader.Skip(); break;
                }
            }
            if (!hasId || !hasTrans || !hasRotations) throw new WireException("a person without id, trans or rotations");
            return person;
        }

        private static SkeletonMessage ReadSkeleton(JsonReader reader)
        {
            var message = new SkeletonMessage { BodyName = "" };
            List<string> names = null;
            List<long> parents = null;
            List<Vector3> offsets = null;
            float[] betas = null;
            List<Vector3[]> shapeOffsets = null;
            List<string> handNames = null;
            List<long> handParents = null;
            List<Vector3> handOffsets = null;
            while (reader.NextKey(out string key))
            {
                switch (key)
                {
                    case "names": names = ReadItems(reader, key, ReadString); break;
                    case "parents": parents = ReadItems(reader, key, ReadInteger); break;
                    case "offsets": offsets = ReadItems(reader, key, ReadVector); break;
                    case "betas": betas = ReadSingles(reader, key); break;
                    case "shape_offsets": shapeOffsets = ReadItems(reader, key, ReadVectors); break;
                    case "hand_names": handNames = ReadItems(reader, key, ReadString); break;
                    case "hand_parents": handParents = ReadItems(reader, key, ReadInteger); break;
                    case "hand_offsets": handOffsets = ReadItems(reader, key, ReadVector); break;
                    case "up_axis":
                        if (reader.String() != "Y") throw new WireException("up_axis is not Y");
                        break;
                    case "body": message.BodyName = ReadBodyName(reader); break;
                    default: reader.Skip(); break;
                }
            }
            reader.End();
            if (names == null || parents == null || offsets == null)
                throw new WireException("a skeleton message without names, parents or offsets");
            StreamJoints joints = message.Joints = new StreamJoints(names);
            message.Skeleton = new Skeleton(Parents(joints.Select(parents, "parents"), joints),
                joints.Select(offsets, "offsets"), betas,
                shapeOffsets == null ? null : joints.Select(shapeOffsets, "shape_offsets"),
                HandsAndFace.FingerOffsets(names, handNames, handParents, handOffsets));
            return message;
        }

        /// <summary>Of SMPL's joints, whose parents in the stream are these; other joints may not lie between.</summary>
        private static int[] Parents(long[] places, StreamJoints joints)
        {
            var parents = new int[places.Length];
            for (int i = 0; i < places.Length; i++)
            {
                int parent = places[i] <= int.MaxValue ? joints.JointAt((int)Math.Max(-1, places[i])) : -1;
                if (i == 0 ? places[i] != -1 : parent < 0 || parent >= i)
                    throw new WireException("parents is no tree with every parent before its children");
                parents[i] = parent;
            }
            return parents;
        }

        private static string ReadBodyName(JsonReader reader)
        {
            string name = "";
            reader.BeginObject();
            while (reader.NextKey(out string key))
            {
                if (key == "name") name = reader.String();
                else reader.Skip();
            }
            return name;
        }

        private static StatusMessage ReadStatus(JsonReader reader)
        {
            var message = new StatusMessage();
            while (reader.NextKey(out string key))
            {
                switch (key)
                {
                    case "state": message.State = reader.String(); break;
                    case "source": message.Source = reader.String(); break;
                    case "estimator": message.Estimator = reader.String(); break;
                    case "backend": message.Backend = reader.String(); break;
                    case "dropped": message.Dropped = ReadInteger(reader, key); break;
                    case "message": message.Message = reader.String(); break;
                    default: reader.Skip(); break;
                }
            }
            reader.End();
            return message;
        }
    }
}
